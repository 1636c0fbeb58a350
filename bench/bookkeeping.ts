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
async function prepare(entry: TrainingModel, methods: readonly TrainingMethod[]) {
  const step = trainingStep(entry.build(), {
    objective: entry.objective,
    optimizer: entry.optimizer,
    methods,
    weightDecay: true,
    sizes: entry.sizes,
    passes: [await layoutPass()],
  });
  const runner = await StepRunner.create(step, { threads });
  const batch = batchOf(entry);
  const data = { length: 1, fields: {}, batch: async () => batch };
  const run = new Run(runner, { updates: 1e9, data, seed: 1 });
  await run.tell('started');
  return {
    release: () => runner.release(),
    async round(): Promise<number> {
      let changes = 0;
      const all = await time(async () => {
        for (let i = 0; i < STEPS; i++) {
          await run.tell('beforeStep');
          await runner.run(batch, entry.rates, run.takeWanted());
          changes += await time(() => run.tell('afterStep'));
        }
      });
      return (all - changes) / STEPS + changes / interval;
    },
  };
}

async function measure(entry: TrainingModel, method: string): Promise<Measurement> {
  const ours = await prepare(entry, await combine([readMethod(method)]));
  const plain = await prepare(entry, []);
  const { ms, peerMs } = await inTurns(ours.round, plain.round, 4);
  await ours.release();
  await plain.release();
  return { ms, peer: 'plain step', peerMs };
}

const moving = ['rigl', 'set', 'dsr', 'sparse-momentum'].map(name => [
  name,
  `${name}:interval=${STEPS},dense=none`,
]);
const penalties = ['l1', 'group-lasso', 'nuclear', 'orthogonality', 'quantization-noise'].map(name => [
  name,
  name,
]);
const cases: Case[] = [...moving, ...penalties].flatMap(([name, method]) =>
  MODELS.map(model => ({ name: `${name}-${model.name}`, run: () => measure(model, method!) })),
);
await runBenchmark(cases, argv);
