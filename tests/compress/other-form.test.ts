import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Store } from '../../src/compress/cache.js';
import { type CompressOptions, compress } from '../../src/compress/index.js';
import { openJob, study } from '../../src/compress/prepare.js';
import { indexedSource } from '../../src/data/sample.js';
import type { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { cifarResNet, exportForInference } from '../../src/nn/index.js';
import { Random } from '../../src/random/random.js';

// Which form is faster must not depend on the processor that runs the tests.
const pairs = vi.hoisted(() => ({ time: 1 }));
vi.mock('../../src/compress/time.js', async original => ({
  ...(await original<typeof import('../../src/compress/time.js')>()),
  timeOf: async (model: Model) => (isPaired(model) ? pairs.time : 1),
}));
beforeEach(() => {
  pairs.time = 1;
});

/** Whether columns lie in pairs: nothing else in the network multiplies by a mask's or a filter's table. */
const isPaired = ({ graph }: Model) => [...graph.nodes].some(({ opType }) => opType === 'MatMul');

const resnet = () =>
  exportForInference(cifarResNet({ depth: 8, width: 0.5, channels: 1, imageSize: 12, classes: 5 }));

const images = indexedSource({ description: 'noise' }, 16, index => {
  const random = new Random(index);
  return {
    pixel_values: Tensor.float32(
      [2, 1, 12, 12],
      Array.from({ length: 288 }, () => random.normal()),
    ),
  };
});

const common: CompressOptions = {
  inputs: images,
  samples: { calibration: 8, verification: 4 },
  threads: 1,
  goal: 'speed',
};

describe('a cache', () => {
  const inMemory = (): Store => {
    const entries = new Map<string, Uint8Array<ArrayBuffer>>();
    return {
      read: key => entries.get(key),
      write: (key, parts) => void entries.set(key, new Uint8Array(Buffer.concat(parts))),
    };
  };

  /** What a study finds, and whether it had to look. */
  async function studied(time: number, cache?: Store) {
    pairs.time = time;
    const job = await openJob(resnet(), { ...common, maxSize: '60%', ...(cache && { cache }) });
    const findings = await study(job);
    return {
      paired: isPaired(job.model),
      looked: job.clock.phases.some(({ name }) => name === 'observe'),
      errors: findings.map(({ site, scored }) => [
        site.value.name,
        ...scored.map(({ candidate, bytes, error }) => [candidate.label, bytes, error]),
      ]),
    };
  }

  it('keeps the forms of a model apart, whichever was studied first', async () => {
    const [plain, inPairs] = [await studied(1), await studied(0.5)];
    expect([plain.paired, inPairs.paired]).toEqual([false, true]);
    for (const order of [
      [plain, inPairs],
      [inPairs, plain],
    ]) {
      const cache = inMemory();
      for (const alone of order) {
        expect(await studied(alone.paired ? 0.5 : 1, cache)).toEqual(alone);
        expect(await studied(alone.paired ? 0.5 : 1, cache)).toEqual({ ...alone, looked: false });
      }
    }
  });
});

describe('a form that is fast enough by itself', () => {
  const bounded: CompressOptions = { ...common, maxLatency: 0.7 };

  it.each([false, undefined, 'auto'] as const)('is all that changes, prune: %s', async prune => {
    pairs.time = 0.6;
    const { model, report } = await compress(resnet(), { ...bounded, ...(prune !== undefined && { prune }) });
    expect(isPaired(model)).toBe(true);
    expect(report.layers.map(({ choice }) => choice)).toEqual(report.layers.map(() => 'unchanged'));
    expect(report.pruned).toBeUndefined();
    expect(report.unchanged).toBe(false);
    expect(report.verification.outputs[0]!.relativeError).toBeLessThan(1e-5);
  });

  it('is taken before any layer is studied, where pruning would come next', async () => {
    pairs.time = 0.6;
    const { report } = await compress(resnet(), { ...bounded, prune: 'auto' });
    const phases = report.phases.map(({ name }) => name);
    expect(phases).not.toContain('observe');
    expect(phases).not.toContain('score');
  });

  it('does not stand in the way of a bound on bytes', async () => {
    pairs.time = 0.6;
    const { model, report } = await compress(resnet(), { ...bounded, prune: false, maxSize: '60%' });
    expect(isPaired(model)).toBe(true);
    expect(report.bytes.after).toBeLessThanOrEqual(0.6 * report.bytes.before);
    expect(report.layers.some(({ choice }) => choice !== 'unchanged')).toBe(true);
  });

  it('is not taken where it is no faster', async () => {
    const { model } = await compress(resnet(), { ...bounded, maxLatency: 1, prune: false });
    expect(isPaired(model)).toBe(false);
  });
});

describe('a layer with columns in pairs', () => {
  it('is called what it is', async () => {
    pairs.time = 0.5;
    const job = await openJob(resnet(), common);
    expect(isPaired(job.model)).toBe(true);
    const { report } = await compress(resnet(), { ...common, maxLatency: 0.9, prune: 'auto' });
    const [first, head] = [report.layers[0]!, report.layers.at(-1)!];
    expect(first.op).toBe('Conv, columns in pairs');
    expect(first.nodes).toEqual(['conv1/Conv']);
    expect(head.op).toBe('Gemm');
    expect(new Set(report.layers.map(({ op }) => op))).toEqual(
      new Set(['Conv, columns in pairs', 'Conv', 'Gemm']),
    );
  });

  it('is found by the name of its convolution', async () => {
    pairs.time = 0.5;
    const spared = async (exclude: string) => {
      const job = await openJob(resnet(), { ...common, exclude: [exclude] });
      return job.sites.filter(site => !job.selected.includes(site)).map(({ value }) => value.name);
    };
    expect(await spared('conv1/Conv')).toEqual(await spared('conv1.weight'));
  });
});
