import { beforeAll, describe, expect, it } from 'vitest';
import { compress } from '../../../src/compress/compress.js';
import { readInputs } from '../../../src/compress/inputs.js';
import { PhaseClock } from '../../../src/compress/phases.js';
import { pruneToTime } from '../../../src/compress/versions/fast.js';
import { type InputSource, indexedSource } from '../../../src/data/sample.js';
import { graphCost } from '../../../src/graph/cost.js';
import { inferShapes } from '../../../src/graph/infer/index.js';
import type { Model } from '../../../src/graph/model.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { initLinalg } from '../../../src/linalg/index.js';
import { findBlocks } from '../../../src/prune/blocks.js';
import { chooseBlocks, chooseBlocksForTime } from '../../../src/prune/choose-blocks.js';
import { Random } from '../../../src/random/random.js';
import { convolutional } from '../../prune/networks.js';
import { smallInputs, smallModel } from '../small-model.js';

beforeAll(() => initLinalg());

const image = (seed: number) => {
  const random = new Random(seed);
  return {
    x: Tensor.float32(
      [1, 3, 6, 6],
      Array.from({ length: 108 }, () => random.normal()),
    ),
  };
};
const images = indexedSource({ description: 'noise' }, 24, image);
const samples = Array.from({ length: 4 }, (_, i) => image(i));

const residual = () => {
  const model = convolutional({ seed: 8, blocks: ['residual', 'residual', 'residual'], pooled: true });
  inferShapes(model);
  return model;
};

/** Times that depend on nothing but the model: convolutions count, or operations. */
const convolutions = ({ graph }: Model) => [...graph.nodes].filter(({ opType }) => opType === 'Conv').length;
const operations = (model: Model, shape: Record<string, number[]>) =>
  graphCost(model, { inputShapes: shape }).nodes.reduce((sum, { flops }) => sum + flops, 0);

describe('blocks for a time', () => {
  it('go until it holds, and no further', async () => {
    const model = residual();
    const all = convolutions(model);
    const timeOf = async (pruned: Model) => convolutions(pruned) / all;
    const choose = (longest: number) =>
      chooseBlocksForTime(model, longest, { samples, threads: 1, timeOf }, () => {});
    // Seven convolutions, two in each block.
    expect(await choose(0.75)).toHaveLength(1);
    expect(await choose(0.7)).toHaveLength(2);
    expect(await choose(0.1)).toBeUndefined();
  });

  it('stay where the model is fast enough in another form', async () => {
    const timeOf = async () => 0.6;
    expect(await chooseBlocksForTime(residual(), 0.65, { samples, threads: 1, timeOf }, () => {})).toEqual(
      [],
    );
  });

  it('are those that move the outputs least for what they save', async () => {
    const model = residual();
    const [first] = findBlocks(model);
    // Only one block is slow: it goes, whatever it does to the outputs.
    const timeOf = async (pruned: Model) =>
      [...pruned.graph.nodes].some(({ label }) => label === first!.sum.label) ? 1 : 0.5;
    const chosen = await chooseBlocksForTime(model, 0.6, { samples, threads: 1, timeOf }, () => {});
    expect(chosen!.map(({ name }) => name)).toEqual([first!.name]);
  });
});

describe('blocks that went for nothing', () => {
  it('come back', async () => {
    const model = residual();
    const blocks = findBlocks(model);
    const [small] = await chooseBlocks(model, 1, samples, 1, () => {});
    const big = blocks.find(block => block.name !== small!.name)!;
    const labels = (pruned: Model) => new Set([...pruned.graph.nodes].map(({ label }) => label));
    // The one that is missed least does not quite suffice; the next alone does.
    const timeOf = async (pruned: Model) => {
      const left = labels(pruned);
      return 1 - (left.has(small!.sum.label) ? 0 : 0.19) - (left.has(big.sum.label) ? 0 : 0.4);
    };
    const tried: number[] = [];
    const timed = async (pruned: Model) => {
      tried.push(await timeOf(pruned));
      return tried.at(-1)!;
    };
    const chosen = await chooseBlocksForTime(model, 0.8, { samples, threads: 1, timeOf: timed }, () => {});
    expect(Math.min(...tried)).toBeCloseTo(0.41);
    expect(chosen!.map(({ name }) => name)).toEqual([big.name]);
  });
});

describe('pruning to a time', () => {
  const toTime = async (
    model: Model,
    longest: number,
    shape: Record<string, number[]>,
    source: InputSource = images,
  ) => {
    const whole = operations(model, shape);
    const timed = async (pruned: Model) => operations(pruned, shape) / whole;
    const clock = new PhaseClock({});
    const settings = { calibration: 12, verification: 4, seed: 0 };
    const options = { inputs: source, threads: 1 };
    const inputs = await readInputs(model, options, settings);
    const pruned = await pruneToTime(model, { longest, timeOf: timed, inputs, options, clock });
    return pruned && operations(pruned, shape) / whole;
  };

  it('removes channels where there are no blocks', async () => {
    const model = smallModel();
    inferShapes(model);
    const left = await toTime(model, 0.6, { image: [1, 3, 12, 12] }, smallInputs());
    expect(left).toBeLessThanOrEqual(0.6);
    expect(left).toBeGreaterThan(0.3);
  });

  it('finds a version of a residual network, too', async () => {
    expect(await toTime(residual(), 0.75, { x: [1, 3, 6, 6] })).toBeLessThanOrEqual(0.75);
  });

  it('looks no further than blocks where the model will be retrained', async () => {
    const model = residual();
    const options = { inputs: images, threads: 1, recover: 'distill' } as const;
    const inputs = await readInputs(model, options, { calibration: 12, verification: 4, seed: 0 });
    const clock = new PhaseClock({});
    const all = convolutions(model);
    const timed = async (pruned: Model) => convolutions(pruned) / all;
    const pruned = await pruneToTime(model, { longest: 0.75, timeOf: timed, inputs, options, clock });
    expect(convolutions(pruned!)).toBe(all - 2);
    const ran = clock.phases.map(({ name }) => name);
    expect(ran).toContain('blocks');
    expect(ran).not.toContain('search');
  });

  it('gives up where nothing is fast enough', async () => {
    expect(await toTime(residual(), 0.001, { x: [1, 3, 6, 6] })).toBeUndefined();
  });
});

describe('a bound on latency', () => {
  it('that cannot be met leaves a model whose channels are all there, where pruning is forbidden', async () => {
    const { report } = await compress(smallModel(), {
      inputs: smallInputs(),
      threads: 1,
      samples: { calibration: 8, verification: 4 },
      maxLatency: 0.001,
      prune: false,
      method: 'quantize',
    });
    expect(report.budget.some(({ held }) => !held)).toBe(true);
    expect(report.pruned).toBeUndefined();
  });
});
