import { describe, expect, it } from 'vitest';
import { type BudgetOutcome, parseQuality } from '../../../src/compress/budget.js';
import { compress } from '../../../src/compress/compress.js';
import { joinFronts } from '../../../src/compress/pareto.js';
import type { CompressReport, ScoreRow } from '../../../src/compress/report.js';
import { bestOf, isBetter } from '../../../src/compress/versions/pruned.js';
import { modelByteLength } from '../../../src/onnx/index.js';
import { smallInputs, smallModel } from '../small-model.js';

const common = {
  inputs: smallInputs(),
  threads: 1,
  timing: false,
  samples: { calibration: 8, verification: 4 },
};

const point = (bytes: number, cosine: number, scores: ScoreRow[] = []) => ({
  bytes,
  cosine,
  outputs: [],
  scores,
  choices: [],
});

describe('pruning before compression', () => {
  it('leaves less than compression alone, measured against the original', async () => {
    const { report, model } = await compress(smallModel(), {
      ...common,
      prune: 0.7,
      method: 'quantize',
      error: 0.05,
    });
    const alone = await compress(smallModel(), { ...common, method: 'quantize', error: 0.05 });
    expect(report.pruned).toBe(0.7);
    expect(report.bytes.after).toBe(modelByteLength(model));
    expect(report.bytes.before).toBe(alone.report.bytes.before);
    expect(report.bytes.after).toBeLessThan(alone.report.bytes.after);
    expect(report.flops!.after / report.flops!.before).toBeLessThan(0.72);
    // Both errors count: the pruning's too.
    expect(report.verification.outputs[0]!.cosine).toBeLessThan(alone.report.verification.outputs[0]!.cosine);
    expect(model.graph.outputs[0]!.shape).toEqual(['n', 10]);
  });

  it('tries several shares, and takes the best for the budget', async () => {
    const options = { ...common, maxSize: '20%', method: 'quantize' } as const;
    const auto = await compress(smallModel(), { ...options, prune: 'auto' });
    const alone = await compress(smallModel(), options);
    const likeness = ({ report }: typeof alone) => report.verification.outputs[0]!.cosine;
    expect(likeness(auto)).toBeGreaterThanOrEqual(likeness(alone) - 1e-6);
    expect(auto.report.budget.every(({ held }) => held)).toBe(true);
  });

  it('of several results takes one that holds, then the smaller or the better one', () => {
    const result = (bytes: number, cosine: number, held: boolean) =>
      ({
        bytes: { before: 100, after: bytes },
        budget: [{ bound: 'b', limit: 0, measured: 0, held }],
        verification: { outputs: [{ cosine }] },
      }) as CompressReport;
    const [free, bound] = [{ maxLatency: undefined, quality: [] }, parseQuality('cosine=0.9')];
    const smallest = { ...free, quality: [bound] };
    const fast = { maxLatency: 0.7, quality: [bound] };
    expect(isBetter(result(50, 0.9, true), result(10, 0.99, false), smallest)).toBe(true);
    expect(isBetter(result(20, 0.99, true), result(10, 0.98, true), smallest)).toBe(false);
    expect(isBetter(result(20, 0.99, true), result(10, 0.98, true), free)).toBe(true);
    expect(isBetter(result(20, 0.99, true), result(10, 0.98, true), fast)).toBe(true);
  });

  it('where none holds, takes the one that misses by less, the time first', () => {
    const result = (time: number, accuracy: number, cosine: number) =>
      ({
        bytes: { before: 100, after: 50 },
        budget: [
          { bound: 'score.accuracy>=-1', limit: 92, measured: accuracy, held: accuracy >= 92 },
          { bound: 'time ≤ 0.7x', limit: 0.7, measured: time, held: time <= 0.7 },
        ],
        verification: { outputs: [{ cosine }] },
      }) as CompressReport;
    const fast = { maxLatency: 0.7, quality: [parseQuality('cosine=0.9')] };
    expect(isBetter(result(0.69, 91.9, 0.9), result(1.05, 92.5, 0.99), fast)).toBe(true);
    expect(isBetter(result(1.05, 92.5, 0.99), result(0.69, 91.9, 0.9), fast)).toBe(false);
    expect(isBetter(result(0.8, 91, 0.9), result(0.9, 92.5, 0.99), fast)).toBe(true);
    expect(isBetter(result(0.6, 91.5, 0.9), result(0.5, 91, 0.99), fast)).toBe(true);
    expect(isBetter(result(Number.NaN, 92.5, 0.99), result(3, 91, 0.9), fast)).toBe(false);
    // As far off: the outputs decide.
    expect(isBetter(result(0.8, 92.5, 0.99), result(0.8, 92.1, 0.9), fast)).toBe(true);
  });

  it('joins fronts: points that a smaller file equals are left out, and each says what was pruned', () => {
    const whole = { points: [point(20, 0.9), point(40, 0.99)], methods: [] };
    const pruned = { points: [point(15, 0.8), point(35, 0.85)], methods: [] };
    const joined = joinFronts([
      { share: 1, front: { ...whole, methods: [{ method: 'quantize', points: [] }] } },
      { share: 0.7, front: pruned },
    ]);
    expect(joined.points.map(({ bytes, pruned: share }) => [bytes, share])).toEqual([
      [15, 0.7],
      [20, undefined],
      [40, undefined],
    ]);
    expect(joined.methods.map(({ method }) => method)).toEqual(['quantize']);
    expect(joined.versions!.map(({ pruned, points }) => [pruned, points.length])).toEqual([
      [1, 2],
      [0.7, 2],
    ]);
  });

  it('keeps on a joined front what only the score says is better', () => {
    const errors = (after: number) => [{ name: 'cer', before: 4, after, betterIs: 'lower' as const }];
    const joined = joinFronts([
      { share: 1, front: { points: [point(20, 0.9, errors(6)), point(40, 0.99, errors(4.5))], methods: [] } },
      {
        share: 0.9,
        front: { points: [point(25, 0.8, errors(5)), point(45, 0.95, errors(4.6))], methods: [] },
      },
    ]);
    expect(joined.points.map(({ bytes }) => bytes)).toEqual([20, 25, 40]);
  });

  it('without a budget takes the version whose knee lies nearest to that of all fronts', () => {
    const result = (bytes: number, cosine: number) => ({
      report: {
        bytes: { before: 100, after: bytes },
        budget: [] as BudgetOutcome[],
        verification: { outputs: [{ cosine }] },
      } as CompressReport,
    });
    const front = { points: [point(10, 0.5), point(90, 1)], methods: [] };
    const [large, knee] = [result(80, 0.999), result(20, 0.99)];
    expect(bestOf([large, knee], { pareto: true }, front)).toBe(knee);
    expect(bestOf([large, knee], { pareto: true, maxSize: '80%' }, front)).toBe(large);
  });

  it('refuses a share that is none', async () => {
    for (const prune of [1.5, 1, 0, [1, 1.5], []]) {
      await expect(compress(smallModel(), { ...common, prune })).rejects.toThrow(/share/);
    }
  });
});
