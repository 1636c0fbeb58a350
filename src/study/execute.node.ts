import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { graphCost } from '../graph/cost.js';
import { isFloat } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import type { Network } from '../nn/network.js';
import { saveModel } from '../onnx/save.node.js';
import type { SessionOptions } from '../runtime/options.js';
import { CheckpointFolder } from '../train/checkpoint/folder.node.js';
import type { ConfiguredTraining } from '../train/config/config.js';
import { exportedNetwork, exportTrained } from '../train/export-trained.js';
import { jsonLines } from '../train/logs/text-logs.node.js';
import type { TrainProgress } from '../train/options.js';
import { train } from '../train/train.js';
import { curvesOf, type LogLine, medianStep } from './curves.js';
import { type DerivingArm, type Figures, needsOf, type Study, type TrainingArm, trains } from './define.js';
import { measureModel } from './measure-model.js';
import { type NeededOptions, neededRuns, saveWeights } from './needed.node.js';
import type { Curve } from './record.js';

export interface Execution extends NeededOptions {
  /** Names the run, and its folder in `scratch`, where checkpoints, logs and models are kept. */
  readonly key: string;
  /** The hash of the study's file: a run does not go on from a checkpoint of another text. */
  readonly definition: string;
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TrainProgress) => void;
}

export interface Executed {
  readonly figures: Figures;
  readonly curves: Readonly<Record<string, Curve>>;
}

/** A run was stopped by its signal; its checkpoint is saved. */
export class Interrupted extends Error {}

/** What a run makes before it is measured. */
interface Made {
  readonly model: Model;
  readonly network?: Network;
  readonly figures: Figures;
  readonly curves: Readonly<Record<string, Curve>>;
  /** Says how models are measured. */
  readonly training: ConfiguredTraining;
}

/**
 * Makes one run of a study: trains or derives the model, saves it, measures it. Goes on from the run's last checkpoint.
 * @throws Interrupted when the signal ended it, and whatever training and measuring throw
 */
export async function execute(execution: Execution): Promise<Executed> {
  const { study, arm, seed, values, scratch, key, definition: text, threads, signal } = execution;
  const definition = study.arms[arm]!;
  const folder = join(scratch, key);
  const resumed = existsSync(join(folder, 'checkpoints', text));
  await mkdir(folder, { recursive: true });
  const session: SessionOptions = { threads };
  const needed = neededRuns(execution);
  const made = trains(definition)
    ? await trainArm(definition, execution, folder)
    : await deriveArm(definition, execution);
  const { model, network, training } = made;
  if (signal.aborted) throw new Interrupted();
  const saved = await saveModel(model, join(folder, 'model.onnx'));
  if (network) await saveWeights(network, folder);
  const { data, objective, evaluation: { batchSize } = {} } = training;
  const evaluate = (candidate: Model) => {
    if (!data.test) throw new WhittleError(`the arm "${arm}" has no test set`, { hint: 'Give data.test' });
    return measureModel(candidate, {
      objective,
      data: data.test,
      batchSize,
      session: { ...training.session, ...session },
    });
  };
  const evaluation = await evaluate(model);
  const measured = await definition.measure?.({
    settings: values,
    seed,
    network,
    model,
    evaluation,
    figures: made.figures,
    needed,
    evaluate,
  });
  if (signal.aborted) throw new Interrupted();
  const figures = {
    ...evaluation,
    parameters:
      (network && exportedNetwork(network, training.methods).parameterCount()) ?? countWeights(model),
    bytes: saved.bytes,
    ...flopsOf(model),
    // Of a run that was cut off nobody knows what it spent before.
    ...(!resumed && { cpu_seconds: cpuSeconds() }),
    memory: process.resourceUsage().maxRSS * 1024,
    ...made.figures,
    ...measured,
  };
  // Weights, model and log stay, for arms that need them; checkpoints have done their work.
  await rm(join(folder, 'checkpoints'), { recursive: true, force: true });
  return { figures, curves: made.curves };
}

async function trainArm(arm: TrainingArm<never>, execution: Execution, folder: string): Promise<Made> {
  const { study, seed, values, definition, threads, signal, onProgress } = execution;
  const training = await arm.train(values as never, seed, neededRuns(execution));
  const { checkpointEvery, ...options } = training;
  const log = join(folder, 'log.jsonl');
  const result = await train({
    ...options,
    session: { ...options.session, threads },
    checkpoints: {
      store: new CheckpointFolder(join(folder, 'checkpoints', definition), { keep: 1 }),
      resume: true,
      ...(checkpointEvery !== undefined && { every: checkpointEvery }),
    },
    logs: [jsonLines(log)],
    onProgress,
    signal,
  });
  if (result.ended === 'aborted') throw new Interrupted();
  const lines = await readLog(log);
  const step = medianStep(lines);
  return {
    model: await (arm.export?.(result.network) ?? exportTrained(result.network, training.methods)),
    network: result.network,
    figures: {
      updates: result.updates,
      train_seconds: result.seconds,
      ...(step !== undefined && { step_ms: step }),
    },
    curves: curvesOf(lines, ['loss', ...(study.curves ?? [])]),
    training,
  };
}

async function deriveArm(arm: DerivingArm<never>, execution: Execution): Promise<Made> {
  const { study, seed, values } = execution;
  const needed = neededRuns(execution);
  const { model, figures = {} } = await arm.derive(values as never, seed, needed);
  return { model, figures, curves: {}, training: await trainingOf(study, needsOf(arm)[0]!, execution) };
}

/** The training that an arm, or the arm that it derives from, describes: it names test set and objective. */
async function trainingOf(study: Study, name: string, execution: Execution): Promise<ConfiguredTraining> {
  const arm = study.arms[name]!;
  if (!trains(arm)) return trainingOf(study, needsOf(arm)[0]!, execution);
  return arm.train(execution.values, execution.seed, neededRuns({ ...execution, arm: name }));
}

const readLog = async (path: string): Promise<LogLine[]> =>
  (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as LogLine);

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Numbers in the constants of a model that has no network: weights, and codes that stand for weights. */
function countWeights(model: Model): number {
  let count = 0;
  for (const { initializer } of model.graph.initializers) {
    if (!(initializer instanceof Tensor)) continue;
    if (isFloat(initializer.dtype) || /int[248]$/.test(initializer.dtype)) count += initializer.size;
  }
  return count;
}

/** Floating-point operations for one example; nothing where an operator's cost is not known. */
function flopsOf(model: Model): { flops?: number } {
  const shapes = Object.fromEntries(
    model.graph.inputs
      .filter(input => !input.initializer)
      .map(({ name, shape }) => [name, shape?.map(dim => (dim === 'batch' ? 1 : dim)) ?? []]),
  );
  const { flops, unknown } = graphCost(model, { inputShapes: shapes });
  return unknown.length > 0 ? {} : { flops };
}
