import { readFileSync } from 'node:fs';
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
