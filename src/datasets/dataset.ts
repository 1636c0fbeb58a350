import type { DType } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';

/** Tensors of equal first dimension, one row an example, by the names of a network's inputs. */
export type Batch = Readonly<Record<string, Tensor>>;

/** What a field holds: its dtype and the shape of one example. */
export interface Field {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Numbered examples. */
export interface Dataset {
  readonly length: number;
  readonly fields: Readonly<Record<string, Field>>;
  /** Names of the classes that `labels` counts, where there are classes. */
  readonly classes?: readonly string[] | undefined;
  /**
   * The examples with these numbers, in this order; a number may appear twice.
   * @throws WhittleError for a number outside of the dataset, and where an example cannot be read
   */
  batch(indices: ArrayLike<number>): Promise<Batch>;
}

/** @throws WhittleError naming the first index that is no whole number from 0 to length − 1 */
export function checkIndices(indices: ArrayLike<number>, length: number): void {
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    if (!Number.isInteger(index) || index < 0 || index >= length) {
      throw new WhittleError(`the dataset has examples 0 to ${length - 1}, not ${index}`);
    }
  }
}

/** A dataset of some of another's examples: a split, a subset for a quick look. */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  checkIndices(indices, dataset.length);
  return {
    length: indices.length,
    fields: dataset.fields,
    classes: dataset.classes,
    async batch(chosen) {
      checkIndices(chosen, indices.length);
      return dataset.batch(Array.from(chosen, i => indices[i]!));
    },
  };
}
