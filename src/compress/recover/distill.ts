import { WhittleError } from '../../graph/errors.js';
import type { Model } from '../../graph/model.js';
import { createSession, type Tensors } from '../../runtime/index.js';
import { type WeightSelector, withWeights } from '../../train/trainable.js';
import { DistillationStep } from './distillation-step.js';

export interface DistillOptions {
  /** Passes over the samples at most; default 8. */
  readonly epochs?: number;
  /** Largest change of a number in a step, as a share of its size; default 0.0001. */
  readonly rate?: number;
  /**
   * Its size: its own, at least a fiftieth of its tensor's root mean square (`number`, the default: scales of one
   * tensor differ by orders of magnitude), or that root mean square (`tensor`: weights that may change sign).
   */
  readonly relativeTo?: 'number' | 'tensor';
  /** Samples whose gradients are added up to one step; default 4. */
  readonly batch?: number;
  /** Passes without improvement on the samples held out of training that are borne; default 2. */
  readonly patience?: number;
  /** Samples that are not trained on and decide when to stop; default a quarter of the samples. */
  readonly heldOut?: readonly Tensors[];
  /** Which constants may change; default all that look like weights: factors, scales, biases, norms. */
  readonly select?: WeightSelector;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each pass with the loss on the held-out samples. */
  readonly onEpoch?: (epoch: number, loss: number) => void;
}

export interface Distilled {
  /** The model with the best parameters seen; the given one where none was better. */
  readonly model: Model;
  /** Loss on the held-out samples, before and after. */
  readonly before: number;
  readonly after: number;
  readonly epochs: number;
}

/**
 * Trains what a compressed model has in floats (factors, scales, biases, norms) to give the outputs of the original on
 * the same inputs; the integers stay. Samples that are not trained on measure progress.
 * (Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network", 2015; optimizer: Kingma & Ba, "Adam", 2015,
 * its steps relative to the size of what they change.)
 * @throws WhittleError for an operator without a gradient (forms that multiply integers have none) and fewer than four
 *   samples
 */
export async function distill(
  original: Model,
  compressed: Model,
  samples: readonly Tensors[],
  options: DistillOptions = {},
): Promise<Distilled> {
  const { epochs = 8, batch = 4, patience = 2, rate = 0.0001, relativeTo = 'number', signal } = options;
  if (samples.length < 4) {
    throw new WhittleError(`distillation needs at least 4 samples, not ${samples.length}`, {
      hint: 'Give more calibration inputs',
    });
  }
  const held = options.heldOut ?? samples.filter((_, i) => i % 4 === 3);
  const trained = options.heldOut ? samples : samples.filter((_, i) => i % 4 !== 3);
  const targets = await outputsOf(original, [...trained, ...held], options.threads);
  const step = await DistillationStep.create(compressed, targets, options);
  try {
    const lossOn = async (set: readonly Tensors[]) => {
      let sum = 0;
      for (const sample of set) sum += await step.loss(sample, targets.get(sample)!);
      return sum / set.length;
    };
    const before = await lossOn(held);
    let best = { loss: before, values: step.snapshot() };
    let since = 0;
    let epoch = 0;
    const steps = epochs * Math.ceil(trained.length / batch);
    let done = 0;
    while (epoch < epochs && since <= patience) {
      for (let start = 0; start < trained.length; start += batch) {
        signal?.throwIfAborted();
        const part = trained.slice(start, start + batch);
        for (const sample of part) await step.accumulate(sample, targets.get(sample)!);
        // Half a cosine, from the full rate to none.
        step.update(part.length, (rate * (1 + Math.cos((Math.PI * done++) / steps))) / 2, relativeTo);
      }
      epoch++;
      const loss = await lossOn(held);
      options.onEpoch?.(epoch, loss);
      since = loss < best.loss ? 0 : since + 1;
      if (loss < best.loss) best = { loss, values: step.snapshot() };
    }
    const model = best.loss < before ? withWeights(compressed, best.values) : compressed;
    return { model, before, after: best.loss, epochs: epoch };
  } finally {
    await step.release();
  }
}

async function outputsOf(
  model: Model,
  samples: readonly Tensors[],
  threads: number | undefined,
): Promise<Map<Tensors, Tensors>> {
  const session = await createSession(model, threads === undefined ? {} : { threads });
  try {
    const outputs = new Map<Tensors, Tensors>();
    for (const sample of samples) outputs.set(sample, await session.run(sample));
    return outputs;
  } finally {
    await session.release();
  }
}
