import { type DType, isFloat } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { formatShape, isNamed, type Sample, type Signature, shapeFits, type TensorInfo } from './sample.js';

const INTEGER_RANGE: Partial<Record<DType, readonly [number, number]>> = {
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

/**
 * Brings an array to the dtype of an input where that keeps its meaning: float to float, whole number to whole
 * number within range, bool from and to whole numbers. Pixels given as bytes to a float input are refused: how
 * they are normalised is for the user to say.
 * @throws WhittleError naming file and input
 */
export function convertTo(tensor: Tensor, input: TensorInfo, file?: string): Tensor {
  const { dtype, name } = input;
  if (tensor.dtype === dtype) return tensor;
  const place = file === undefined ? { value: name } : { file, value: name };
  const [low, high] = INTEGER_RANGE[dtype] ?? (dtype === 'bool' ? [0, 1] : []);
  const whole = (d: DType) => INTEGER_RANGE[d] !== undefined || d === 'bool';
  if (isFloat(tensor.dtype) && isFloat(dtype)) {
    return Tensor.fromNumbers(dtype, tensor.dims, tensor.toFloat64());
  }
  if (!whole(tensor.dtype) || low === undefined || high === undefined) {
    throw new WhittleError(`the input takes ${dtype}, the array is ${tensor.dtype}`, {
      ...place,
      hint: isFloat(dtype)
        ? 'Normalise it as for training and save it as float32'
        : `Save it with .astype("${dtype}")`,
    });
  }
  const values = tensor.toNumbers();
  const outside = values.find(value => value < low || value > high);
  if (outside !== undefined) {
    throw new WhittleError(`the array holds ${outside}, which ${dtype} cannot`, place);
  }
  return Tensor.fromNumbers(dtype, tensor.dims, values);
}

/**
 * Checks the feeds of one run against the model's signature: every input there, dtypes and shapes right, one size
 * for one symbolic name, no NaN.
 * @throws WhittleError naming file, input, what is expected and what is given
 */
export function checkSample(sample: Sample, signature: Signature, file?: string): Sample {
  const place = (name: string) => (file === undefined ? { value: name } : { file, value: name });
  const sizes = new Map<string, { size: number; input: string }>();
  for (const info of signature) {
    const tensor = sample[info.name];
    if (tensor === undefined) {
      if (info.optional) continue;
      throw new WhittleError(`nothing is given for input "${info.name}"`, {
        ...place(info.name),
        hint: `Given: ${Object.keys(sample).join(', ') || 'nothing'}`,
      });
    }
    if (tensor.dtype !== info.dtype || !shapeFits(tensor.dims, info.shape)) {
      throw new WhittleError(
        `the input takes ${info.dtype} ${formatShape(info.shape)}, given is ${tensor.dtype} ${formatShape(tensor.dims)}`,
        place(info.name),
      );
    }
    for (const [axis, dim] of (info.shape ?? []).entries()) {
      if (!isNamed(dim)) continue;
      const size = tensor.dims[axis]!;
      const known = sizes.get(dim);
      if (known && known.size !== size) {
        throw new WhittleError(
          `"${dim}" is ${size} here, but ${known.size} in input "${known.input}"`,
          place(info.name),
        );
      }
      sizes.set(dim, { size, input: info.name });
    }
    checkNumbers(tensor, place(info.name));
  }
  const unknown = Object.keys(sample).find(name => !signature.some(info => info.name === name));
  if (unknown !== undefined) {
    throw new WhittleError(`the model has no input "${unknown}"`, {
      ...place(unknown),
      hint: `It has ${signature.map(info => info.name).join(', ')}`,
    });
  }
  return sample;
}

function checkNumbers(tensor: Tensor, place: { file?: string; value: string }): void {
  if (tensor.dtype !== 'float32' && tensor.dtype !== 'float16' && tensor.dtype !== 'float64') return;
  const index = tensor.toFloat32().findIndex(Number.isNaN);
  if (index >= 0) {
    throw new WhittleError(`the array holds NaN, first at element ${index}`, {
      ...place,
      hint: 'Remove the sample or fix how it was made',
    });
  }
}

/** Rows [start, start + count) along the first axis. */
export function sliceRows(tensor: Tensor, start: number, count: number): Tensor {
  const [, ...rest] = tensor.dims;
  const rowBytes = tensor.byteLength / (tensor.dims[0] || 1);
  const bytes = tensor.bytes().slice(start * rowBytes, (start + count) * rowBytes);
  return new Tensor(tensor.dtype, [count, ...rest], bytes);
}

/** How the array of a file feeds an input. */
export interface Fit {
  /** Samples that it gives. */
  readonly count: number;
  take(tensor: Tensor, index: number): Tensor;
}

/**
 * How an array of the given shape can feed an input: as it is; with a batch axis of 1 put before it; or row by
 * row, where the input's batch is fixed and the array holds a multiple of it, or where `rows` asks for that.
 * @returns undefined where it cannot
 */
export function fitArray(
  dims: readonly number[],
  shape: TensorInfo['shape'],
  rows: boolean,
): Fit | undefined {
  const [first] = shape ?? [];
  const open = typeof first !== 'number';
  if (shapeFits(dims, shape) && !(rows && open && dims.length > 1 && dims[0]! > 1)) {
    return { count: 1, take: tensor => tensor };
  }
  const reshape = (tensor: Tensor, to: readonly number[]) => new Tensor(tensor.dtype, to, tensor.bytes());
  if (shape === undefined) return undefined;
  if (shapeFits([1, ...dims], shape)) return { count: 1, take: tensor => reshape(tensor, [1, ...dims]) };
  const batch = typeof first === 'number' ? first : 1;
  const [total = 0, ...rest] = dims;
  if (
    dims.length > 1 &&
    batch > 0 &&
    total % batch === 0 &&
    total > 0 &&
    shapeFits([batch, ...rest], shape)
  ) {
    return { count: total / batch, take: (tensor, i) => sliceRows(tensor, i * batch, batch) };
  }
  if (dims.length === shape.length + 1 && sizeOf(dims) > 0 && shapeFits(rest, shape)) {
    return { count: total, take: (tensor, i) => reshape(sliceRows(tensor, i, 1), rest) };
  }
  return undefined;
}
