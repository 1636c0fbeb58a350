import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  cosine,
  oneCycle,
  reduceOnPlateau,
  type Schedule,
  stepwise,
  warmup,
} from '../../src/train/schedules/index.js';

const golden = JSON.parse(readFileSync(new URL('golden/schedules.json', import.meta.url), 'utf8')) as {
  updates: number;
  metrics: number[];
} & Record<'stepwise' | 'cosine' | 'oneCycle' | 'warmup' | 'plateau', number[]>;

const rates = (schedule: Schedule, updates = golden.updates): number[] =>
  Array.from({ length: golden.updates }, (_, update) => schedule.at({ update, updates, updatesPerEpoch: 5 }));

function expectRates(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, rate] of found.entries()) expect(rate).toBeCloseTo(expected[i]!, 12);
}

it('stepwise is MultiStepLR', () => {
  expectRates(rates(stepwise({ base: 0.4, milestones: [0.5, 0.75] })), golden.stepwise);
});

it('cosine is CosineAnnealingLR', () => {
  expectRates(rates(cosine({ base: 0.4, final: 0.01 })), golden.cosine);
});

it('oneCycle is OneCycleLR', () => {
  expectRates(rates(oneCycle({ peak: 0.4 }), golden.updates + 1), golden.oneCycle);
});

const shapes = fc.record({
  peak: fc.double({ min: 1e-6, max: 10, noNaN: true }),
  rise: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.1, 0.5, 1)),
  startDivisor: fc.double({ min: 1, max: 1e3, noNaN: true }),
  finalDivisor: fc.double({ min: 1, max: 1e6, noNaN: true }),
});

it('oneCycle is a rate at each update of any training, and comes to its peak', () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 60 }), (options, updates) => {
      const schedule = oneCycle(options);
      const at = (update: number): number => schedule.at({ update, updates, updatesPerEpoch: 5 });
      for (let update = 0; update <= updates; update++) {
        expect(at(update)).toBeGreaterThanOrEqual(0);
        expect(at(update)).toBeLessThanOrEqual(options.peak * (1 + 1e-12));
      }
      // Between two updates where the rise does not end with one, as in PyTorch.
      expect(at(Math.max(0, options.rise * updates - 1))).toBeCloseTo(options.peak, 9);
    }),
  );
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 60 }), fc.nat(), (options, updates, n) => {
      const top = n % updates;
      const schedule = oneCycle({ ...options, rise: (top + 1) / updates });
      expect(schedule.at({ update: top, updates, updatesPerEpoch: 5 })).toBeCloseTo(options.peak, 9);
    }),
  );
});

it('oneCycle refuses what is no cycle', () => {
  expect(() => oneCycle({ peak: Number.NaN })).toThrow(/peak/);
  expect(() => oneCycle({ peak: 1, rise: 1.5 })).toThrow(/rise is a part/);
  expect(() => oneCycle({ peak: 1, startDivisor: 0 })).toThrow(/startDivisor must be a positive/);
});

it('a warm-up is LinearLR before another schedule', () => {
  expectRates(rates(warmup({ updates: 5, start: 0.1 }, cosine({ base: 0.4 }))), golden.warmup);
});

it('reduceOnPlateau is ReduceLROnPlateau, also when it is saved on the way', () => {
  const make = () => reduceOnPlateau({ base: 0.4, factor: 0.5, patience: 2, minimum: 0.06 });
  for (const stop of [0, 3, 11]) {
    let schedule = make();
    const found: number[] = [];
    for (const [update, loss] of golden.metrics.entries()) {
      if (update === stop) {
        const saved: unknown = JSON.parse(JSON.stringify(schedule.save!()));
        schedule = make();
        schedule.restore!(saved);
      }
      found.push(schedule.at({ update, updates: golden.updates, updatesPerEpoch: 1 }));
      schedule.observe!({ loss });
    }
    expectRates(found, golden.plateau);
  }
});

it('reduceOnPlateau says what is measured where its metric is not', () => {
  const schedule = reduceOnPlateau({ base: 1, metric: 'accuracy' });
  expect(() => schedule.observe!({ loss: 1 })).toThrow(/no "accuracy".*loss/);
});
