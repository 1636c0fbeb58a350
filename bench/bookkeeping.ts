/**
 * What methods cost that leave the network as it is: masks that move, and penalties. Blocks of their steps against
 * neighbouring blocks of plain steps; `ratio` is the median over such pairs, `low` and `high` its 95% interval. A step
 * that changes masks counts at its share, with `--interval` steps between changes.
 *
 *   npx jiti bench/bookkeeping.ts --threads 1 --cpu --model mlp-b128   all methods on one network, processor time
 *   npx jiti bench/bookkeeping.ts --only rigl-resnet20-b32             one
 *   npx jiti bench/bookkeeping.ts --only plain --seconds 60            plain steps against plain steps
 */
import { availableParallelism } from 'node:os';
import { combine, readMethod } from '../src/methods/registry.js';
import { layoutPass } from '../src/runtime/layout/index.js';
import { StepRunner, type TrainingMethod, trainingStep } from '../src/train/index.js';
import { Run } from '../src/train/run.js';
import { type Case, inPairs, type Measurement, option, runBenchmark, time } from './harness.js';
import { batchOf, MODELS, type TrainingModel } from './training/models.js';

const threads = Number(option('--threads') ?? availableParallelism());
const interval = Number(option('--interval') ?? 100);
const seconds = Number(option('--seconds') ?? 20);
const model = option('--model');
/** Steps of a block, the last of which moves the masks. */
const STEPS = 3;

/** @returns steps to be timed, in blocks */
async function prepare(entry: TrainingModel, methods: readonly TrainingMethod[], updates: number) {
  for (const method of methods) method.lengthen?.(STEPS);
  const step = trainingStep(entry.build(), {
    objective: entry.objective,
    optimizer: entry.optimizer,
    methods,
    weightDecay: true,
    sizes: entry.sizes,
    passes: [await layoutPass({ threads })],
  });
  const runner = await StepRunner.create(step, { threads });
  const batch = batchOf(entry);
  const data = { length: 1, fields: {}, batch: async () => batch };
  const run = new Run(runner, { updates, data, seed: 1 });
  await run.tell('started');
  /** Milliseconds of what methods do between steps, and of the steps. */
  const steps = async (count: number): Promise<{ between: number; within: number }> => {
    let [between, within] = [0, 0];
    for (let i = 0; i < count; i++) {
      between += await time(() => run.tell('beforeStep'));
      within += await time(() => runner.run(batch, entry.rates, run.takeWanted()));
      between += await time(() => run.tell('afterStep'));
    }
    return { between, within };
  };
  return {
    release: () => runner.release(),
    /** Milliseconds of a step, the last one of the block and what is between steps at their share. */
    async block(): Promise<number> {
      const [usual, last] = [await steps(STEPS - 1), await steps(1)];
      const step = usual.within / (STEPS - 1);
      return step + (last.within - step + usual.between + last.between) / interval;
    },
  };
}

async function measure(entry: TrainingModel, method: string, updates: number): Promise<Measurement> {
  const ours = await prepare(entry, method === '' ? [] : await combine([readMethod(method)]), updates);
  const plain = await prepare(entry, [], updates);
  const { ms, peerMs, ratio, low, high, pairs } = await inPairs(ours.block, plain.block, seconds);
  await ours.release();
  await plain.release();
  const [from, to] = [low, high].map(value => Number(value.toFixed(3)));
  return { ms, peer: 'plain step', peerMs, ratio, extra: { low: from!, high: to!, pairs } };
}

/** Longer than any measurement. */
const LONG = 1e9;
/** Methods, and how many updates the training has; all of them change something with the last step of a block. */
const masks = [
  ...['rigl', 'set', 'dsr', 'sparse-momentum'].map(
    name => [name, `${name}:interval=${STEPS},dense=none`, LONG] as const,
  ),
  ['gradual', `gradual:interval=${STEPS},start=0,end=1,dense=none`, LONG],
  ['iterative', 'iterative:rounds=1000,start=0,end=1,dense=none', 1000 * STEPS],
  // A level is a block.
  ['lottery', 'lottery:rate=0.01,rewind=0,dense=none', LONG],
  ['narrow', `narrow:interval=${STEPS},start=0,end=1`, LONG],
] as const;
const penalties = [
  ...['l1', 'group-lasso', 'orthogonality', 'quantization-noise'].map(name => [name, name] as const),
  ['nuclear', `nuclear:interval=${STEPS}`] as const,
  // The gradient of the penalty is in the last step of a block.
  ['orthogonality-at-times', `orthogonality:interval=${STEPS}`] as const,
].map(([name, method]) => [name, method, LONG] as const);
const cases: Case[] = [['plain', '', LONG] as const, ...masks, ...penalties].flatMap(
  ([name, method, updates]) =>
    MODELS.filter(entry => model === undefined || entry.name === model).map(entry => ({
      name: `${name}-${entry.name}`,
      run: () => measure(entry, method, updates),
    })),
);
await runBenchmark(cases);
