/**
 * Times training steps (forward, backward, update) on the CPU against another framework on as many cores, in turns:
 *
 *   npm run bench:train                                        all models, a table
 *   npm run bench:train -- --only resnet20-b128 --json         one
 *   npm run bench:train -- --only mlp-b128 --peer jax-js       or tfjs; default pytorch (eager)
 *   npm run bench:train -- --only resnet20-b128 --standard     standard operators alone, without the layout pass
 *   npm run bench:train -- --only resnet20-b128 --profile P    ONNX Runtime's profile in files that begin with P
 *   npm run bench:train -- --threads 1 --cpu                   processor time of one thread: for busy machines
 */
import { availableParallelism } from 'node:os';
import { layoutPass } from '../src/runtime/layout/index.js';
import { StepRunner, trainingStep } from '../src/train/index.js';
import {
  type Case,
  inTurns,
  type Measurement,
  option,
  peakMemory,
  resetPeakMemory,
  runBenchmark,
  time,
} from './harness.js';
import { Peer } from './peers/peer.js';
import { batchOf, MODELS, type TrainingModel } from './training/models.js';

const threads = Number(option('--threads') ?? availableParallelism());
const profile = option('--profile');
/** Short rounds find the quiet moments of a busy machine. */
const ROUND_MS = 100;

async function measure(entry: TrainingModel): Promise<Measurement> {
  resetPeakMemory();
  const step = trainingStep(entry.build(), {
    objective: entry.objective,
    optimizer: entry.optimizer,
    weightDecay: true,
    sizes: entry.sizes,
    passes: process.argv.includes('--standard') ? [] : [await layoutPass({ threads })],
  });
  const runner = await StepRunner.create(step, { threads, ...(profile !== undefined && { profile }) });
  const batch = batchOf(entry);
  const run = () => runner.run(batch, entry.rates);
  const { loss } = await run();
  if (!Number.isFinite(loss)) throw new Error(`${entry.name}: the first loss is ${loss}`);
  const steps = Math.max(1, Math.min(50, Math.round(ROUND_MS / (await time(run)))));
  const ours = async (): Promise<number> => {
    const ms = await time(async () => {
      for (let i = 0; i < steps; i++) await run();
    });
    return ms / steps;
  };
  // A process of its own for each model, so that its memory is that of the model.
  const started =
    profile === undefined ? await Peer.start(option('--peer') ?? 'pytorch', threads) : undefined;
  const peer = started?.trains(entry.name) ? started : undefined;
  const theirs = peer && (() => peer.time(entry.name, steps));
  const { ms, peerMs } = await inTurns(ours, theirs, 8);
  const extra = { peakMiB: peakMemory(), peerPeakMiB: peer ? peakMemory(peer.pid) : null };
  started?.stop();
  await runner.release();
  return { ms, peer: peer?.name ?? null, peerMs, extra };
}

const cases: Case[] = MODELS.map(model => ({ name: model.name, run: () => measure(model) }));
await runBenchmark(cases);
