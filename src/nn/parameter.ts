import { sizeOf, Tensor, type TensorStorage } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import { Random } from '../random/random.js';
import { type Initializer, type InitializerShape, uniformFanIn } from './initializers.js';

/**
 * The role of a parameter, by which optimizers and compression choose: `weight` multiplies activations in a matrix
 * product or convolution, `scale` multiplies channel by channel (of a normalization), `embedding` is looked up or
 * added (tokens, positions, class token), `buffer` is state that no gradient reaches (BatchNorm's running statistics).
 */
export type ParameterKind = 'weight' | 'bias' | 'scale' | 'embedding' | 'buffer';

/** A named tensor of a network that is learned or kept, apart from the constants of its operators. */
export interface Parameter extends InitializerShape {
  /** The name in PyTorch's state dict. */
  readonly name: string;
  /** Its value in the graph, of the same name, holding the tensor. */
  readonly value: Value;
  readonly kind: ParameterKind;
  /** Whether gradients change it; false for buffers and for what is frozen. */
  trainable: boolean;
  readonly initializer: Initializer;
}

/**
 * The tensor that an initializer gives, computed when its bytes are asked for (each time anew), so that building and
 * counting a large network allocates nothing. It depends on the seed and the name alone, not on the order of building.
 */
export function initialTensor(
  name: string,
  shape: InitializerShape,
  initializer: Initializer,
  seed: number,
): Tensor {
  const storage: TensorStorage = {
    byteLength: 4 * sizeOf(shape.dims),
    read() {
      const data = initializer(shape, new Random(seed, name));
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    },
  };
  return new Tensor('float32', shape.dims, storage);
}

/** Fans of a weight laid out as PyTorch does: (out, in, ...kernel). Vectors have both fans equal to their length. */
export function fansOf(dims: readonly number[]): { fanIn: number; fanOut: number } {
  if (dims.length < 2) return { fanIn: sizeOf(dims), fanOut: sizeOf(dims) };
  const kernel = sizeOf(dims.slice(2));
  return { fanIn: dims[1]! * kernel, fanOut: dims[0]! * kernel };
}

/**
 * A parameter's initializer for another shape. One that was read from a file knows its own shape only: another is drawn
 * as a layer draws it by default.
 */
export const initializerFor =
  ({ initializer }: Parameter): Initializer =>
  (shape, random) => {
    const data = initializer(shape, random);
    return data.length === sizeOf(shape.dims) ? data : uniformFanIn(shape, random);
  };
