import type { CompressInputs } from '../compress/inputs.js';
import { distill } from '../compress/recover/distill.js';
import type { Model } from '../graph/model.js';
import type { Tensors } from '../runtime/index.js';

/** What a retraining after pruning won. */
export interface RetrainReport {
  /** Passes over the calibration inputs. */
  epochs: number;
  /** Inputs that were not trained on. */
  samples: number;
  /** Distance of the outputs from the original's on these. */
  before: number;
  after: number;
}

/** Passes over the calibration inputs at most. */
export const RETRAIN_EPOCHS = 10;

/** Examples of an update, and updates in a pass: where inputs are few, they have fewer examples. */
const EXAMPLES = 32;
const UPDATES = 8;

/** As a share of each parameter: pruned weights have further to go than those that were only rounded. */
const RATE = 0.01;

/**
 * Trains a pruned model to give the original's outputs on the calibration inputs: the short retraining after pruning, by
 * distillation, which needs no labels. Inputs that are not trained on decide when it ends and which weights are kept;
 * the model never gets worse on them.
 * @throws WhittleError for an operator without a gradient, and fewer than four inputs
 */
export async function retrain(
  original: Model,
  pruned: Model,
  { calibration, probes }: Pick<CompressInputs, 'calibration' | 'probes'>,
  options: {
    readonly epochs: number;
    readonly threads: number | undefined;
    readonly signal: AbortSignal | undefined;
    readonly onEpoch?: (epoch: number) => void;
  },
): Promise<{ model: Model; report: RetrainReport }> {
  // Where there are few inputs the probes are the calibration inputs: then a part of them is held out.
  const separate = probes.length >= 4 && probes.every(probe => !calibration.includes(probe));
  const { model, epochs, before, after } = await distill(original, pruned, calibration, {
    ...options,
    // Without the loss, which is the second argument.
    onEpoch: epoch => options.onEpoch?.(epoch),
    rate: RATE,
    relativeTo: 'tensor',
    batch: Math.ceil(Math.min(EXAMPLES / examplesOf(calibration[0]!), calibration.length / UPDATES)),
    patience: 3,
    ...(separate && { heldOut: probes }),
  });
  const samples = separate ? probes.length : Math.floor(calibration.length / 4);
  return { model, report: { epochs, samples, before, after } };
}

/** Examples of one sample: it may be a batch. */
export const examplesOf = (sample: Tensors): number =>
  Math.max(1, ...Object.values(sample).map(({ dims }) => (dims.length > 1 ? dims[0]! : 1)));
