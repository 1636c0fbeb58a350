/**
 * What methods cost that leave the network as it is: masks that move, and penalties. Their steps against steps without
 * them, in turns. A change of masks is counted at its share of one step, with `--interval` steps between changes.
 *
 *   npx jiti bench/bookkeeping.ts --threads 1 --cpu             all, processor time
 *   npx jiti bench/bookkeeping.ts --only rigl-resnet20-b32      one
 */
import { availableParallelism } from 'node:os';
import { combine, readMethod } from '../src/methods/registry.js';
import { layoutPass } from '../src/runtime/layout/index.js';
import { StepRunner, type TrainingMethod, trainingStep } from '../src/train/index.js';
import { Run } from '../src/train/run.js';
import { type Case, inTurns, type Measurement, runBenchmark, time } from './harness.js';
import { batchOf, MODELS, type TrainingModel } from './training/models.js';

const argv = process.argv.slice(2);
const option = (name: string): string | undefined =>
  argv.includes(name) ? argv[argv.indexOf(name) + 1] : undefined;
const threads = Number(option('--threads') ?? availableParallelism());
const interval = Number(option('--interval') ?? 100);
/** Steps of a round, the last of which moves the masks. */
const STEPS = 5;

/** @returns steps to be timed, and milliseconds of all changes of masks so far */
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
  return {
    release: () => runner.release(),
    async round(): Promise<number> {
      let changes = 0;
      const all = await time(async () => {
        for (let i = 0; i < STEPS; i++) {
          changes += await time(() => run.tell('beforeStep'));
          await runner.run(batch, entry.rates, run.takeWanted());
          changes += await time(() => run.tell('afterStep'));
        }
      });
      return (all - changes) / STEPS + changes / interval;
    },
  };
}

async function measure(entry: TrainingModel, method: string, updates: number): Promise<Measurement> {
  const ours = await prepare(entry, await combine([readMethod(method)]), updates);
  const plain = await prepare(entry, [], updates);
  const { ms, peerMs } = await inTurns(ours.round, plain.round, 4);
  await ours.release();
  await plain.release();
  return { ms, peer: 'plain step', peerMs };
}

/** Longer than any measurement. */
const LONG = 1e9;
/** Methods, and how many updates the training has; all of them change something with the last step of a round. */
const masks = [
  ...['rigl', 'set', 'dsr', 'sparse-momentum'].map(
    name => [name, `${name}:interval=${STEPS},dense=none`, LONG] as const,
  ),
  ['gradual', `gradual:interval=${STEPS},start=0,end=1,dense=none`, LONG],
  ['iterative', 'iterative:rounds=1000,start=0,end=1,dense=none', 1000 * STEPS],
  // A level is a round.
  ['lottery', 'lottery:rate=0.01,rewind=0,dense=none', LONG],
  ['narrow', `narrow:interval=${STEPS},start=0,end=1`, LONG],
] as const;
const penalties = ['l1', 'group-lasso', 'nuclear', 'orthogonality', 'quantization-noise'].map(
  name => [name, name, LONG] as const,
);
const cases: Case[] = [...masks, ...penalties].flatMap(([name, method, updates]) =>
  MODELS.map(model => ({ name: `${name}-${model.name}`, run: () => measure(model, method, updates) })),
);
await runBenchmark(cases, argv);
