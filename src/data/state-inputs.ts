import { sizeOf, Tensor } from '../graph/tensor.js';
import type { TensorInfo } from './sample.js';

/**
 * The neutral value of an input that carries state or a switch rather than data, as exported decoders have them:
 * an empty key-value cache (`past_key_values.*`), and "no" to `use_cache_branch`.
 * @param tokens length of the sequence, for dimensions that count it
 * @returns undefined where the input is not such a one
 */
export function stateInput(info: TensorInfo, tokens: number): Tensor | undefined {
  if (info.name === 'use_cache_branch') return Tensor.fromNumbers(info.dtype, info.shape ? [1] : [], [0]);
  if (!/^past(_key_values?)?\b|^past_/.test(info.name) || info.shape === undefined) return undefined;
  const dims = info.shape.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    if (typeof dim === 'string' && /past/.test(dim)) return 0;
    if (axis === 0) return 1;
    return typeof dim === 'string' && /encoder/.test(dim) ? tokens : 0;
  });
  return Tensor.fromNumbers(info.dtype, dims, new Float32Array(sizeOf(dims)));
}
