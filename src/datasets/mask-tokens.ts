import { WhittleError } from '../graph/errors.js';
import { Tensor } from '../graph/tensor.js';
import { Random } from '../random/random.js';
import type { Batch, Dataset } from './dataset.js';
import type { SpecialTokens } from './special-tokens.js';

/** What `labels` holds where nothing is to be guessed; PyTorch's own value. */
export const NOT_MASKED = -100;

export interface MaskOptions {
  readonly special: SpecialTokens;
  /** Share of an example's tokens that are to be guessed; default 0.15. */
  readonly rate?: number;
}

/**
 * BERT's guessing task, as a transform of batches: of each example's tokens, special ones aside, 15% (at least one) are
 * chosen. `labels` holds what they were, and −100 everywhere else. 80% of them become the mask token, 10% another token
 * at random, 10% stay. The random numbers are the loader's, so that a resumed training masks what it would have masked.
 * Use it with `languageModel({ ignoreIndex: NOT_MASKED })`.
 * Devlin et al., NAACL 2019, section 3.1.
 */
export function maskTokens(options: MaskOptions): (batch: Batch, random: Random) => Batch {
  return (batch, random) => masked(batch, options, () => random);
}

/** The same as a data set whose masks are fixed by the seed and the example's number: to evaluate on. */
export function maskedDataset(
  dataset: Dataset,
  { seed = 0, ...options }: MaskOptions & { seed?: number },
): Dataset {
  return {
    length: dataset.length,
    fields: { ...dataset.fields, labels: dataset.fields.input_ids! },
    async batch(indices) {
      return masked(await dataset.batch(indices), options, row => new Random(seed, `mask ${indices[row]}`));
    },
  };
}

function masked(
  batch: Batch,
  { special, rate = 0.15 }: MaskOptions,
  randomOf: (row: number) => Random,
): Batch {
  const tensor = batch.input_ids;
  if (tensor?.dtype !== 'int64' || tensor.dims.length !== 2) {
    throw new WhittleError('masking needs tokens, int64 (batch, tokens)', { value: 'input_ids' });
  }
  if (!(rate > 0 && rate <= 1)) throw new WhittleError(`the share of masked tokens cannot be ${rate}`);
  const [rows, tokens] = tensor.dims as [number, number];
  const ids = (tensor.data() as BigInt64Array).slice();
  const labels = new BigInt64Array(ids.length).fill(BigInt(NOT_MASKED));
  const fixed = new Set([special.pad, special.start, special.separator].map(BigInt));
  for (let row = 0; row < rows; row++) {
    const random = randomOf(row);
    const places: number[] = [];
    for (let i = row * tokens; i < (row + 1) * tokens; i++) if (!fixed.has(ids[i]!)) places.push(i);
    if (places.length === 0) continue;
    const order = random.permutation(places.length);
    for (const chosen of order.subarray(0, Math.max(1, Math.round(rate * places.length)))) {
      const at = places[chosen]!;
      labels[at] = ids[at]!;
      const draw = random.uniform();
      if (draw < 0.8) ids[at] = BigInt(special.mask);
      else if (draw < 0.9) ids[at] = BigInt(random.integer(special.vocabulary));
    }
  }
  return {
    ...batch,
    input_ids: Tensor.from('int64', tensor.dims, ids),
    labels: Tensor.from('int64', tensor.dims, labels),
  };
}
