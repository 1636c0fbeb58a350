import { bitsOf } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { Tensor } from '../graph/tensor.js';
import { type Batch, checkIndices, type Dataset, type Field } from './dataset.js';

/**
 * Tensors whose first dimension counts examples, e.g. those of an `.npz` file (`readNpz`), as a dataset with the same
 * names.
 * @throws WhittleError where their first dimensions differ, or elements are smaller than a byte
 */
export function arrayDataset(tensors: Readonly<Record<string, Tensor>>): Dataset {
  const entries = Object.entries(tensors);
  const length = entries[0]?.[1].dims[0] ?? 0;
  const fields: Record<string, Field> = {};
  for (const [name, { dtype, dims }] of entries) {
    if (dims.length === 0 || dims[0] !== length) {
      throw new WhittleError(
        `"${name}" of shape [${dims.join(', ')}] does not hold ${length} examples, as "${entries[0]![0]}" does`,
        { value: name },
      );
    }
    if (bitsOf(dtype) < 8)
      throw new WhittleError(`examples of dtype ${dtype} cannot be picked`, { value: name });
    fields[name] = { dtype, shape: dims.slice(1) };
  }
  const rows = entries.map(([name, tensor]) => ({ name, tensor, bytes: tensor.bytes() }));
  return {
    length,
    fields,
    async batch(indices): Promise<Batch> {
      checkIndices(indices, length);
      const batch: Record<string, Tensor> = {};
      for (const { name, tensor, bytes } of rows) {
        const size = bytes.length / length;
        const picked = new Uint8Array(indices.length * size);
        for (let i = 0; i < indices.length; i++) {
          picked.set(bytes.subarray(indices[i]! * size, (indices[i]! + 1) * size), i * size);
        }
        batch[name] = new Tensor(tensor.dtype, [indices.length, ...tensor.dims.slice(1)], picked);
      }
      return batch;
    },
  };
}
