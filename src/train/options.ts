import type { Dataset } from '../datasets/dataset.js';
import type { Network } from '../nn/network.js';
import type { SessionOptions } from '../runtime/options.js';
import type { CheckpointStore } from './checkpoint/checkpoint.js';
import type { Transform } from './data/transform.js';
import type { EarlyStoppingOptions, Goal } from './early-stopping.js';
import type { Evaluated } from './evaluate.js';
import type { Logger } from './logs/logger.js';
import type { Schedule } from './schedules/schedule.js';
import type { StepOptions } from './step/options.js';

/** A training: what, on what, how, and how long. */
export interface TrainOptions extends Omit<StepOptions, 'weightDecay' | 'sizes'> {
  /** In training form. */
  readonly network: Network;
  readonly data: {
    readonly train: Dataset;
    /** Evaluated as training goes on; default none. */
    readonly test?: Dataset | undefined;
  };
  readonly batchSize: number;
  /** How long: one of the two. */
  readonly epochs?: number;
  readonly updates?: number;
  readonly learningRate: number | Schedule;
  /** Strength λ of ½λ‖w‖²; default none. */
  readonly weightDecay?: number | Schedule;
  /** Changes of training batches: crops, flips, mixup. */
  readonly transforms?: readonly Transform[];
  /** Decides order, augmentation and dropout; the network has its own. Default 0. */
  readonly seed?: number;
  /** Default true. */
  readonly shuffle?: boolean;
  readonly prefetch?: number;
  /**
   * Sizes of further symbolic dimensions, in evaluation too; the batch has its size always, which lets passes plan. A
   * batch that is smaller, at the end of an epoch, is left out.
   */
  readonly sizes?: Readonly<Record<string, number>>;

  readonly evaluation?: {
    /** Epochs between evaluations; default 1. The last update is always evaluated. */
    readonly every?: number;
    /** Default 256. */
    readonly batchSize?: number;
    /** What decides which weights are best; default the lowest loss. */
    readonly goal?: Goal;
  };
  readonly earlyStopping?: EarlyStoppingOptions;

  readonly checkpoints?: {
    readonly store: CheckpointStore;
    /** Updates between checkpoints; default those of an epoch. */
    readonly every?: number;
    /** Continue from the newest checkpoint where there is one; default false. */
    readonly resume?: boolean;
    /** JSON that a resume must find the same, such as the settings of a configuration file. */
    readonly settings?: Readonly<Record<string, unknown>>;
  };
  readonly logs?: readonly Logger[];
  /** Updates between records of steps; default 1. */
  readonly logEvery?: number;
  readonly onProgress?: (progress: TrainProgress) => void;
  /** Ends the training after the present step, with a checkpoint. */
  readonly signal?: AbortSignal;
  /**
   * Compute images in ONNX Runtime's blocked order where the processor can (default true): faster, and rounded
   * differently.
   */
  readonly blockedLayout?: boolean;
  /** Provider, threads and further settings of ONNX Runtime. */
  readonly session?: SessionOptions;
}

export interface TrainProgress {
  readonly phase: 'train' | 'evaluate';
  readonly done: number;
  readonly total: number;
  readonly detail: string;
}

export interface TrainResult {
  /**
   * The trained network, in training form: with early stopping the best weights, else the last; averages in the place
   * of weights where a method keeps them.
   */
  readonly network: Network;
  readonly updates: number;
  /** Why it ended. */
  readonly ended: 'done' | 'early' | 'aborted';
  /** The last evaluation. */
  readonly evaluation: Evaluated | undefined;
  readonly best: { readonly update: number; readonly metric: string; readonly value: number } | undefined;
  /** The last checkpoint. */
  readonly checkpoint: string | undefined;
  readonly seconds: number;
}
