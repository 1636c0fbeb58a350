/**
 * Times training steps (forward, backward, update) on the CPU against PyTorch eager on as many cores, in turns:
 *
 *   npm run bench:train                                        all models, a table
 *   npm run bench:train -- --only resnet20-b128 --json         one
 *   npm run bench:train -- --only resnet20-b128 --standard     standard operators alone, without the layout pass
 *   npm run bench:train -- --only resnet20-b128 --profile P    ONNX Runtime's profile in files that begin with P
 *   npm run bench:train -- --threads 1 --cpu                   processor time of one thread instead of time elapsed:
 *                                                              for machines that do other work meanwhile
 */
import { availableParallelism } from 'node:os';
import { layoutPass } from '../src/runtime/layout/index.js';
import {
  type Case,
  inTurns,
  type Measurement,
  peakMemory,
  resetPeakMemory,
  runBenchmark,
  time,
} from './harness.js';
import { Torch } from './peers/torch.js';
import { MODELS, type TrainingModel } from './training/models.js';
import { Trainer } from './training/run.js';
import { trainingStep } from './training/step.js';

const argv = process.argv.slice(2);
const standard = argv.includes('--standard');
const profile = argv.includes('--profile') ? argv[argv.indexOf('--profile') + 1] : undefined;
const threads = argv.includes('--threads')
  ? Number(argv[argv.indexOf('--threads') + 1])
  : availableParallelism();
const clock = argv.includes('--cpu') ? processorTime : time;
const ROUND_MS = 100;

let peer: Promise<Torch | undefined> | undefined;

async function measure(entry: TrainingModel): Promise<Measurement> {
  resetPeakMemory();
  const step = trainingStep(entry.build(), entry);
  if (!standard) (await layoutPass())(step);
  const trainer = await Trainer.start(step.model, step, entry.classes, {
    threads,
    ...(profile !== undefined && { profile }),
  });
  const first = await trainer.step();
  if (!Number.isFinite(first)) throw new Error(`${entry.name}: the first loss is ${first}`);
  const warm = await time(trainer.step);
  const steps = Math.max(1, Math.min(50, Math.round(ROUND_MS / warm)));
  const ours = async (): Promise<number> => {
    const ms = await clock(async () => {
      for (let i = 0; i < steps; i++) await trainer.step();
    });
    return ms / steps;
  };
  peer ??= profile === undefined ? Torch.start(threads) : Promise.resolve(undefined);
  const torch = await peer;
  if (torch) resetPeakMemory(torch.pid);
  const theirs = torch && (() => torch.time(entry.name, steps, clock === processorTime));
  const { ms, peerMs } = await inTurns(ours, theirs, profile === undefined ? 8 : 12);
  const extra = { peakMiB: peakMemory(), peerPeakMiB: torch ? peakMemory(torch.pid) : null };
  await trainer.release();
  return { ms, peer: torch?.name ?? null, peerMs, extra };
}

/** Milliseconds of processor time, all threads together, that `work` takes. */
async function processorTime(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const cases: Case[] = MODELS.map(model => ({ name: model.name, run: () => measure(model) }));
await runBenchmark(cases, argv);
(await peer)?.stop();
