import { WhittleError } from '../../graph/errors.js';
import type { Tensor } from '../../graph/tensor.js';
import type { LoaderState } from '../data/loader.js';
import type { RunnerProgress } from '../step/runner.js';

/** All that a training needs to go on as if it had never stopped. */
export interface Checkpoint {
  /** Parameters and buffers by their names, as PyTorch names them. */
  readonly model: ReadonlyMap<string, Tensor>;
  /** What optimizer and methods keep, by `momentum/` and the parameter's name. */
  readonly states: ReadonlyMap<string, Tensor>;
  readonly progress: Progress;
}

/** The part of a checkpoint that is no tensor; JSON. */
export interface Progress {
  readonly format: 1;
  readonly seed: number;
  readonly runner: RunnerProgress;
  readonly loader: LoaderState;
  /** Time spent so far. */
  readonly seconds: number;
  /** What schedules, methods and early stopping keep, each under its name. */
  readonly saved: Readonly<Record<string, unknown>>;
  /** What the user's configuration was made from, to notice that it has changed. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
}

/** Where checkpoints are kept: a folder, a browser's storage. */
export interface CheckpointStore {
  /**
   * Saves a checkpoint, whole or not at all; earlier ones may go once it is safe.
   * @returns what to call it in messages
   */
  save(checkpoint: Checkpoint): Promise<string>;
  /**
   * The newest checkpoint, and what to call it; nothing where there is none.
   * @throws WhittleError for one that is damaged
   */
  load(): Promise<{ readonly checkpoint: Checkpoint; readonly place: string } | undefined>;
  /**
   * Keeps weights under a name of their own, such as `best`, beside the checkpoints.
   * @param notes what `loadWeights` is to give back with them
   */
  saveWeights(
    name: string,
    weights: ReadonlyMap<string, Tensor>,
    notes?: Readonly<Record<string, string>>,
  ): Promise<string>;
  /** What was kept under a name; nothing where nothing was. @throws WhittleError where it is damaged */
  loadWeights(name: string): Promise<KeptWeights | undefined>;
}

export interface KeptWeights {
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly notes: Readonly<Record<string, string>>;
  /** What to call them in messages. */
  readonly place: string;
}

/** Checks JSON that claims to be a checkpoint's. @throws WhittleError where it is something else */
export function readProgress(json: unknown, file: string): Progress {
  const damaged = (what: string): never => {
    throw new WhittleError(`the checkpoint is damaged: ${what}`, { file });
  };
  if (!isRecord(json)) return damaged('its progress is no JSON object');
  if (json.format !== 1) {
    throw new WhittleError(`the checkpoint has format ${String(json.format)}; this version reads 1`, {
      file,
    });
  }
  const { runner, loader } = json;
  const order = isRecord(loader) ? loader.order : undefined;
  const numbers = [
    json.seed,
    json.seconds,
    ...(isRecord(runner) ? [runner.update, runner.batch] : [undefined]),
    ...(isRecord(loader) ? [loader.batch] : [undefined]),
    ...(isRecord(order) ? [order.seed, order.epoch, order.position] : [undefined]),
  ];
  if (!numbers.every(n => typeof n === 'number' && Number.isFinite(n))) damaged('its counts are no numbers');
  const scale = (runner as Record<string, unknown>).lossScale;
  if (!Array.isArray(scale) || scale.length !== 2) damaged('its loss scale is missing');
  if (!isRecord(json.saved)) damaged('what schedules and methods saved is missing');
  return json as unknown as Progress;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
