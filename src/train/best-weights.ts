import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import type { CheckpointStore } from './checkpoint/checkpoint.js';
import type { BestSoFar, BestValue } from './early-stopping.js';

const NAME = 'best';

/** Keeps the best weights beside the checkpoints, with the evaluation that found them. */
export const saveBest = (
  store: CheckpointStore,
  weights: ReadonlyMap<string, Tensor>,
  { update, value }: BestValue,
): Promise<string> => store.saveWeights(NAME, weights, { update: String(update), value: String(value) });

/**
 * The best weights for early stopping to end with. A run that was killed may have found better ones after its last
 * checkpoint: they are the best then, and the resumed run comes to the same.
 * @param best as the checkpoint has it; told what the weights are
 * @param place the checkpoint, for messages
 * @throws WhittleError where the weights are damaged, gone, or others than those that the checkpoint speaks of
 */
export async function restoreBest(
  store: CheckpointStore,
  best: BestSoFar,
  place: string,
): Promise<ReadonlyMap<string, Tensor> | undefined> {
  const hint = 'Put a copy back, or resume without earlyStopping, which ends with the last weights';
  const known = best.best;
  const found = await store.loadWeights(NAME);
  if (!found) {
    if (!known) return undefined;
    throw new WhittleError(
      `the best weights, of update ${known.update}, are gone: nothing is kept as "best"`,
      {
        file: place,
        hint,
      },
    );
  }
  const [update, value] = [Number(found.notes.update), Number(found.notes.value)];
  // Earlier versions did not write which weights they are.
  if (Number.isNaN(update)) return known && found.weights;
  if (known && update < known.update) {
    throw new WhittleError(
      `the best weights are of update ${update}, and should be of update ${known.update}`,
      {
        file: found.place,
        hint,
      },
    );
  }
  if (Number.isFinite(value)) best.best = { update, value };
  return found.weights;
}
