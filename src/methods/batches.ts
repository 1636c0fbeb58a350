import type { Batch } from '../datasets/dataset.js';
import { Tensor } from '../graph/tensor.js';
import type { Network } from '../nn/network.js';
import { fixedBatch } from '../train/step/sizes.js';

/** Examples of a batch. */
export const lengthOf = (batch: Batch): number => Object.values(batch)[0]!.dims[0]!;

/**
 * A batch in parts of at most `most` examples; where the network takes a fixed number, as some files do, of that many,
 * and the rest is left out.
 */
export function partsOf(batch: Batch, network: Network, most: number): readonly Batch[] {
  const fixed = fixedBatch(network);
  const size = fixed ?? most;
  const parts: Batch[] = [];
  for (let from = 0; from < lengthOf(batch); from += size) {
    const taken = Math.min(size, lengthOf(batch) - from);
    if (taken < size && fixed !== undefined) break;
    const part = Object.entries(batch).map(([name, tensor]) => [name, rows(tensor, from, taken)]);
    parts.push(Object.fromEntries(part));
  }
  return parts;
}

function rows(tensor: Tensor, from: number, count: number): Tensor {
  const [length, ...rest] = tensor.dims as [number, ...number[]];
  const bytes = tensor.bytes();
  const row = bytes.byteLength / length;
  return new Tensor(tensor.dtype, [count, ...rest], bytes.slice(from * row, (from + count) * row));
}
