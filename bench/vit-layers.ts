/**
 * Times the arms of the study of structured linear layers (docs/studies/linear-layers) against its dense one, in turns: a
 * training step, and inference of a batch. The study itself trains beside other work, which its times show.
 *
 *   export JITI_TSCONFIG_PATHS=true                            the study imports the package by its name
 *   npx jiti bench/vit-layers.ts --threads 1 --cpu              all arms, processor time
 *   npx jiti bench/vit-layers.ts --only dyad-ffn-run --json     one
 */
import { availableParallelism } from 'node:os';
import study from '../docs/studies/linear-layers/study.js';
import { encodeToBytes } from '../src/onnx/index.js';
import { createSession } from '../src/runtime/index.js';
import { layoutPass } from '../src/runtime/layout/index.js';
import { trains } from '../src/study/define.js';
import { exportTrained, readSettings, StepRunner, trainingStep } from '../src/train/index.js';
import { type Case, inTurns, option, runBenchmark, time } from './harness.js';

const threads = Number(option('--threads') ?? availableParallelism());
const values = readSettings(study.settings, []);

/** A fresh network of an arm, with its methods, and a batch. */
async function made(name: string) {
  const arm = study.arms[name]!;
  if (!trains(arm)) throw new Error(`${name} does not train`);
  const training = await arm.train(values, 0, () => Promise.reject(new Error('not needed')));
  const { batchSize } = values;
  const batch = await training.data.train.batch(Array.from({ length: batchSize }, (_, i) => i));
  const { network, objective, optimizer, methods } = training;
  const step = trainingStep(network, {
    objective,
    optimizer,
    methods: methods!,
    weightDecay: true,
    sizes: { batch: batchSize },
    passes: [await layoutPass({ threads })],
  });
  return { methods: methods!, step, batch };
}

interface Timed {
  measure(): Promise<number>;
  release(): Promise<void>;
}

/** A run takes some milliseconds: ten count as one. */
const RUNS = 10;

async function repeated(run: () => Promise<unknown>, release: () => Promise<void>): Promise<Timed> {
  return {
    async measure() {
      const ms = await time(async () => {
        for (let i = 0; i < RUNS; i++) await run();
      });
      return ms / RUNS;
    },
    release,
  };
}

async function stepOf(name: string): Promise<Timed> {
  const { step, batch } = await made(name);
  const runner = await StepRunner.create(step, { threads });
  const rates = { learningRate: values.learningRate, weightDecay: values.weightDecay };
  return repeated(
    () => runner.run(batch, rates),
    () => runner.release(),
  );
}

async function runOf(name: string): Promise<Timed> {
  const { methods, step, batch } = await made(name);
  const session = await createSession(encodeToBytes(await exportTrained(step.network, methods)), { threads });
  const { labels: _, ...inputs } = batch;
  return repeated(
    () => session.run(inputs),
    () => session.release(),
  );
}

async function compare(name: string, timed: typeof stepOf) {
  const [ours, dense] = [await timed(name), await timed('dense')];
  const { ms, peerMs } = await inTurns(ours.measure, dense.measure, 2);
  await ours.release();
  await dense.release();
  return { ms, peer: 'dense', peerMs };
}

const cases: Case[] = Object.keys(study.arms)
  .filter(name => name !== 'dense')
  .flatMap(name => [
    { name: `${name}-step`, run: () => compare(name, stepOf) },
    { name: `${name}-run`, run: () => compare(name, runOf) },
  ]);
await runBenchmark(cases);
