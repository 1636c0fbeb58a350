import { describe, expect, it } from 'vitest';
import { compress } from '../../../src/compress/index.js';
import { judgedByItself } from '../../../src/compress/inputs.js';
import { openJob } from '../../../src/compress/job.js';
import { study, withStudies } from '../../../src/compress/studies.js';
import { timeOf } from '../../../src/compress/time.js';
import { smallInputs, smallModel } from '../small-model.js';

const settings = { inputs: smallInputs(), threads: 1, timing: false };

describe('budgets', () => {
  it('that contradict each other: keeps the size, says what the quality takes', async () => {
    const { report } = await compress(smallModel(), {
      ...settings,
      maxSize: '12%',
      minQuality: 'cosine=0.99999',
    });
    expect(report.budget.map(({ held }) => held)).toEqual([true, false]);
    expect(report.budget[1]!.measured).toBeLessThan(0.99999);
    expect(report.verdict).toMatch(/does not hold: cosine=0.99999/);
    const needed = /does not hold cosine=0.99999: that takes ([\d,]+) bytes/.exec(report.warnings.join());
    const bytes = Number(needed![1]!.replaceAll(',', ''));
    expect(bytes).toBeGreaterThan(report.bytes.after);
    // What it says is true.
    const again = await compress(smallModel(), { ...settings, maxSize: bytes, minQuality: 'cosine=0.99999' });
    expect(again.report.budget.map(({ held }) => held)).toEqual([true, true]);
  });

  it('of quality hold on the inputs that took no part', async () => {
    for (const bound of ['cosine=0.9999', 'error<=0.02', 'agree=95%']) {
      const { report } = await compress(smallModel(), { ...settings, minQuality: bound });
      expect(report.budget).toMatchObject([{ bound, held: true }]);
      expect(report.bytes.after).toBeLessThan(report.bytes.before);
    }
  });

  it('on the user’s scores, absolute and against the original', async () => {
    // The score of a model is the mean of its first output; the original's is its own.
    const evaluate = async (
      runner: Parameters<NonNullable<Parameters<typeof compress>[1]>['evaluate'] & {}>[0],
    ) => {
      let sum = 0;
      for await (const sample of smallInputs(4).samples()) {
        sum += (await runner.run(sample)).scores!.toFloat32()[0]!;
      }
      return { first: sum };
    };
    const { report } = await compress(smallModel(), {
      ...settings,
      evaluate,
      minQuality: ['score.first>=-0.001', 'score.first<=+0.001'],
    });
    expect(report.budget.map(({ held }) => held)).toEqual([true, true]);
    expect(report.bytes.after).toBeLessThan(report.bytes.before);
    const impossible = await compress(smallModel(), {
      ...settings,
      evaluate: async () => ({ exact: 70 }),
      minQuality: 'score.exact>=80',
    });
    expect(impossible.report.unchanged).toBe(true);
    expect(impossible.report.budget).toMatchObject([{ limit: 80, measured: 70, held: false }]);
    expect(impossible.report.warnings.join()).toMatch(/original itself does not hold/);
  });

  it('of latency: what comes out was timed', async () => {
    const { report } = await compress(smallModel(), {
      inputs: smallInputs(),
      threads: 1,
      samples: { calibration: 8, verification: 4 },
      maxLatency: '100%',
    });
    expect(report.budget).toMatchObject([{ bound: 'time ≤ 100%', limit: 1 }]);
    expect(report.budget[0]!.measured).toBeCloseTo(report.time!.afterMs / report.time!.beforeMs);
    expect(report.settings.goal).toBe('speed');
  });

  it('of size and speed together: both hold', async () => {
    const { report } = await compress(smallModel(), {
      ...settings,
      goal: 'speed',
      maxSize: '30%',
      minQuality: 'cosine=0.99',
    });
    expect(report.budget.map(({ held }) => held)).toEqual([true, true]);
    expect(report.bytes.after).toBeLessThanOrEqual(0.3 * report.bytes.before);
    expect(report.warnings.join()).not.toMatch(/cannot reach|does not hold/);
  });

  it.each([
    ['far below the bound once', [0.4, 9, 9], 0.4],
    ['far above the bound once', [1.2, 0, 0], 1.2],
    ['near the bound three times, the longest counts', [0.59, 0.7, 0.61], 0.7],
  ])('of latency are timed: %s', async (_, ratios, expected) => {
    const left = [...ratios];
    expect(await timeOf(smallModel(), { timeRatio: async () => left.shift()! }, 0.6)).toBe(expected);
  });

  it('of memory know what rounding the activations costs', async () => {
    const job = await openJob(smallModel(), { ...settings, goal: 'memory', maxSize: '60%' });
    const rounding = await withStudies(job, await study(job), async studies =>
      studies.flatMap(({ scored, measured }) =>
        scored.map(s => ({ rounds: s.candidate.roundsActivations === true, distortion: measured?.get(s) })),
      ),
    );
    expect(rounding.some(({ rounds }) => rounds)).toBe(true);
    for (const { rounds, distortion } of rounding) {
      if (rounds) expect(distortion).toBeGreaterThan(0);
      else expect(distortion).toBeUndefined();
    }
  });

  it('of quality are judged on other inputs than the report quotes, where there are enough', async () => {
    const options = { ...settings, inputs: smallInputs(120), minQuality: 'cosine=0.999' };
    const { inputs, settings: many } = await openJob(smallModel(), options);
    expect(inputs.confirmed.length + inputs.reported.length).toBe(40);
    expect(inputs.confirmed.some(sample => inputs.reported.includes(sample))).toBe(false);
    expect(inputs.about.heldOut.samples).toBe(inputs.reported.length);
    expect(judgedByItself(inputs, many)).toEqual([]);
    const few = await openJob(smallModel(), { ...options, inputs: smallInputs(60) });
    expect(few.inputs.confirmed).toBe(few.inputs.reported);
    expect(judgedByItself(few.inputs, few.settings).join()).toMatch(/also decided/);
  });

  it.each([
    [{ minQuality: 'cosine=1.5' }, /cannot hold/],
    [{ minQuality: 'error=0' }, /cannot hold/],
    [{ maxLatency: 'fast' }, /no bound on latency/],
    [{ maxLatency: '2x' }, /no bound on latency/],
    [{ maxLatency: '0.5x' }, /needs timing/],
    [{ onlyMethods: ['magic'] }, /no method "magic".*quantize, lowrank/],
    [{ onlyMethods: [] }, /no method is left/],
  ])('refuses %j', async (options, message) => {
    await expect(compress(smallModel(), { ...settings, ...options })).rejects.toThrow(message);
  });

  it('only with the methods that were left', async () => {
    const { report } = await compress(smallModel(), {
      ...settings,
      onlyMethods: ['lowrank'],
      maxSize: '60%',
    });
    expect(new Set(report.layers.map(({ method }) => method))).toEqual(new Set(['lowrank', 'none']));
  });
});
