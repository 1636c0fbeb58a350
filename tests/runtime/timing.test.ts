import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/index.js';
import { compareSessions, createSession, timeSession } from '../../src/runtime/index.js';
import { percentile, timeInterleaved } from '../../src/runtime/timing.js';
import { layer } from './models.js';

describe('timing', () => {
  it('gives ordered percentiles of as many runs as asked for', async () => {
    const session = await createSession(layer());
    const timing = await timeSession(session, { x: Tensor.float32([1, 2], [1, 1]) }, { warmup: 1, runs: 20 });
    expect(timing.runs).toBe(20);
    expect(timing.p10).toBeGreaterThan(0);
    expect(timing.medianMs).toBeGreaterThanOrEqual(timing.p10);
    expect(timing.p90).toBeGreaterThanOrEqual(timing.medianMs);
    await session.release();
  });

  it('runs two sessions equally often', async () => {
    const [a, b] = await Promise.all([createSession(layer()), createSession(layer())]);
    const result = await compareSessions(a, b, { x: Tensor.float32([1, 2], [1, 1]) }, { runs: 6 });
    expect([result.a.runs, result.b.runs]).toEqual([6, 6]);
    expect(result.ratio).toBeGreaterThan(0);
    await Promise.all([a.release(), b.release()]);
  });

  it('takes turns, each step first half of the time', async () => {
    const calls: string[] = [];
    const step = (name: string) => async () => void calls.push(name);
    await timeInterleaved([step('a'), step('b')], { warmup: 1, runs: 3 });
    expect(calls.join('')).toBe('ab' + 'ab' + 'ba' + 'ab');
  });

  it('by the processor’s clock counts no time at rest', async () => {
    const rest = () => new Promise(resolve => setTimeout(resolve, 20));
    const [wall] = await timeInterleaved([rest], { warmup: 0, runs: 5 });
    const [processor] = await timeInterleaved([rest], { warmup: 0, runs: 5, clock: 'processor' });
    const work = () => {
      const start = performance.now();
      while (performance.now() - start < 5);
      return Promise.resolve();
    };
    const [busy] = await timeInterleaved([work], { warmup: 0, runs: 5, clock: 'processor' });
    expect(percentile(processor!, 0.5)).toBeLessThan(percentile(wall!, 0.5) / 2);
    expect(percentile(busy!, 1)).toBeGreaterThan(0);
  });

  it('times at least five runs where the time is over at once', async () => {
    const [times] = await timeInterleaved([async () => {}], { seconds: 0 });
    expect(times).toHaveLength(5);
  });

  it('takes percentiles that order the sample', () => {
    expect(percentile([3, 1, 2], 0.5)).toBe(2);
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2.5);
    const samples = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 });
    fc.assert(
      fc.property(samples, fc.double({ noNaN: true, min: 0, max: 1 }), (values, fraction) => {
        const value = percentile(values, fraction);
        const below = values.filter(v => v < value - 1e-6).length;
        expect(below).toBeLessThanOrEqual(fraction * (values.length - 1) + 1);
        expect(value).toBeGreaterThanOrEqual(Math.min(...values) - 1e-6);
        expect(value).toBeLessThanOrEqual(Math.max(...values) + 1e-6);
      }),
    );
  });
});
