import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Store } from '../../src/compress/cache.js';
import { type CompressOptions, compress } from '../../src/compress/index.js';
import { openJob } from '../../src/compress/job.js';
import { study } from '../../src/compress/studies.js';
import { indexedSource } from '../../src/data/sample.js';
import type { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { cifarResNet, exportForInference } from '../../src/nn/index.js';
import { modelByteLength } from '../../src/onnx/index.js';
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

/** Whether columns lie in pairs: filters are then laid out by a MatMul, and nothing else in the network is one. */
const isPaired = ({ graph }: Model) => [...graph.nodes].some(({ opType }) => opType === 'MatMul');

const resnet = () =>
  exportForInference(cifarResNet({ depth: 8, width: 0.5, channels: 1, imageSize: 12, classes: 5 }));

/** The same with a constant that nothing reads, as exporters leave them: more bytes than columns in pairs add. */
function withSpareBytes(): Model {
  const model = resnet();
  model.graph.constant(Tensor.float32([1000], new Float32Array(1000)), 'left over');
  return model;
}

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

  it('takes no more bytes than the original: some weights make up for what it adds', async () => {
    pairs.time = 0.6;
    const { model, report } = await compress(resnet(), { ...bounded, prune: false });
    expect(isPaired(model)).toBe(true);
    expect(report.unchanged).toBe(false);
    expect(report.bytes.after).toBe(modelByteLength(model));
    expect(report.bytes.after).toBeLessThan(report.bytes.before);
    expect(report.budget.map(({ bound }) => bound)).toEqual(['time ≤ 0.7']);
    expect(report.layers.some(({ choice }) => choice === 'unchanged')).toBe(true);
    expect(report.verification.outputs[0]!.relativeError).toBeLessThan(0.02);
  });

  it('is taken before any layer is studied, where pruning would come next', async () => {
    pairs.time = 0.6;
    const { model, report } = await compress(withSpareBytes(), { ...bounded, prune: 'auto' });
    expect(isPaired(model)).toBe(true);
    expect(report.pruned).toBeUndefined();
    const phases = report.phases.map(({ name }) => name);
    expect(phases).not.toContain('observe');
    expect(phases).not.toContain('score');
    // The layers are called what they are.
    const [first, ...others] = report.layers.map(({ op, nodes }) => ({ op, nodes }));
    expect(first).toEqual({ op: 'Conv, columns in pairs', nodes: ['conv1/Conv'] });
    expect(new Set(others.map(({ op }) => op))).toEqual(new Set(['Conv, columns in pairs', 'Conv', 'Gemm']));
  });

  it('does not stand in the way of a bound on bytes', async () => {
    pairs.time = 0.6;
    const { model, report } = await compress(resnet(), { ...bounded, prune: false, maxSize: '60%' });
    expect(isPaired(model)).toBe(true);
    expect(report.bytes.after).toBeLessThanOrEqual(0.6 * report.bytes.before);
    expect(report.layers.some(({ choice }) => choice !== 'unchanged')).toBe(true);
  });

  it('is not taken where it is no faster', async () => {
    const job = await openJob(resnet(), bounded);
    expect(isPaired(job.model)).toBe(false);
  });
});

it('spares a layer by the name of its node, whatever its form', async () => {
  for (const time of [1, 0.5]) {
    pairs.time = time;
    const job = await openJob(resnet(), { ...common, exclude: ['conv1/Conv'] });
    expect(isPaired(job.model)).toBe(time < 1);
    const spared = job.sites.filter(site => !job.selected.includes(site));
    expect(spared.map(({ value }) => value.name)).toEqual(['conv1.weight']);
  }
});
