/**
 * What pruning does to time, against what it does to operations: a slim ResNet-20 (8, 16 and 32 channels, random weights,
 * 64 gray images of 28 × 28) without channels or blocks against the whole (`peer`), in turns on one thread:
 *
 *   npx jiti bench/prune-time.ts [--only NAME] [--json] [--list] [--cpu]
 *
 * `halved-8` halves the groups of 8 channels; `pairs` is the whole with columns in pairs, where nothing is lost. `extra.operations` is the share of the operations that is left.
 */
import { inPairs } from '../src/compress/fast-form.js';
import { graphCost } from '../src/graph/cost.js';
import { inferShapes } from '../src/graph/infer/index.js';
import type { Model } from '../src/graph/model.js';
import { Tensor } from '../src/graph/tensor.js';
import { cifarResNet, exportForInference } from '../src/nn/index.js';
import { findBlocks, removeBlocks } from '../src/prune/blocks.js';
import { findGroups } from '../src/prune/groups.js';
import { removeChannels } from '../src/prune/remove.js';
import { Random } from '../src/random/random.js';
import { createSession } from '../src/runtime/index.js';
import { type Case, inTurns, type Measurement, runBenchmark, time } from './harness.js';

const DIMS = [64, 1, 28, 28];

const whole = exportForInference(
  cifarResNet({ depth: 20, width: 0.5, channels: 1, imageSize: 28, classes: 10 }),
);
inferShapes(whole);

/** @param keep share of the channels that stays in groups of so many channels */
function narrowed(model: Model, keep: Readonly<Record<number, number>>): Model {
  const groups = findGroups(model);
  const selection = new Map(
    groups.groups.map(group => {
      const gone = Math.round(group.size * (1 - (keep[group.size] ?? 1)));
      return [group, Array.from({ length: gone }, (_, i) => i)] as const;
    }),
  );
  return removeChannels(model, groups, selection);
}

const operations = (model: Model): number =>
  graphCost(model, { inputShapes: { pixel_values: DIMS } }).nodes.reduce((sum, { flops }) => sum + flops, 0);

const wholeOperations = operations(whole);

async function measure(model: Model): Promise<Measurement> {
  const random = new Random(1);
  const size = DIMS.reduce((a, b) => a * b, 1);
  const images = Tensor.float32(
    DIMS,
    Float32Array.from({ length: size }, () => random.normal()),
  );
  const [a, b] = [await createSession(whole, { threads: 1 }), await createSession(model, { threads: 1 })];
  try {
    const [whole, pruned] = [a.bind({ pixel_values: images }), b.bind({ pixel_values: images })];
    const times = await inTurns(
      () => time(() => pruned.run()),
      () => time(() => whole.run()),
      10,
    );
    return {
      ...times,
      peer: 'whole',
      extra: { operations: Number((operations(model) / wholeOperations).toPrecision(2)) },
    };
  } finally {
    await a.release();
    await b.release();
  }
}

const versions: Readonly<Record<string, () => Model>> = {
  'three-quarters': () => narrowed(whole, { 8: 0.75, 16: 0.75, 32: 0.75 }),
  'halved-8': () => narrowed(whole, { 8: 0.5 }),
  'halved-16': () => narrowed(whole, { 16: 0.5 }),
  'halved-32': () => narrowed(whole, { 32: 0.5 }),
  halved: () => narrowed(whole, { 8: 0.5, 16: 0.5, 32: 0.5 }),
  pairs: () => inPairs(whole),
  'one-block-pairs': () => inPairs(removeBlocks(whole, findBlocks(whole).slice(0, 1))),
  'one-block': () => removeBlocks(whole, findBlocks(whole).slice(0, 1)),
  'two-blocks': () => removeBlocks(whole, findBlocks(whole).slice(0, 2)),
};

const cases = Object.entries(versions).map(
  ([name, version]): Case => ({ name, run: () => measure(version()) }),
);

await runBenchmark(cases);
process.exit(0);
