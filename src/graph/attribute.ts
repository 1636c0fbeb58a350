import { WhittleError } from './errors.js';
import type { Graph } from './graph.js';
import { SparseTensor } from './sparse.js';
import { Tensor } from './tensor.js';
import type { ValueType } from './value.js';

/** An attribute of a node, tagged as in ONNX. Integers are bigint only where a number would lose digits. */
export type Attribute = (
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'int'; readonly value: number | bigint }
  | { readonly type: 'string'; readonly value: Uint8Array }
  | { readonly type: 'tensor'; readonly value: Tensor }
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'sparse'; readonly value: SparseTensor }
  | { readonly type: 'type'; readonly value: ValueType }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'ints'; readonly value: readonly (number | bigint)[] }
  | { readonly type: 'strings'; readonly value: readonly Uint8Array[] }
  | { readonly type: 'tensors'; readonly value: readonly Tensor[] }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
  | { readonly type: 'sparses'; readonly value: readonly SparseTensor[] }
  | { readonly type: 'types'; readonly value: readonly ValueType[] }
  /** Inside a model-local function: the value of the function's attribute of that name. `of` is its type. */
  | { readonly type: 'reference'; readonly value: string; readonly of: number }
) & { /** File-format leftovers, kept for writing. */ readonly extra?: unknown };

/** What builders may write for an attribute; `toAttribute` says how it is read. */
export type AttributeInput =
  | number
  | bigint
  | string
  | boolean
  | Tensor
  | SparseTensor
  | Graph
  | readonly number[]
  | readonly string[]
  | Attribute;

/**
 * ONNX names its float attributes consistently over all operators, so the name tells whether `1` means the
 * integer or the float.
 */
const FLOAT_ATTRIBUTES = new Set(
  (
    'alpha beta gamma epsilon momentum ratio lambd bias threshold scale softcap mean high low seed clip value_float ' +
    'value_floats activation_alpha activation_beta scales cubic_coeff_a extrapolation_value spatial_scale norm_coefficient ' +
    'norm_coefficient_post mask_filter_value weights split_values max min'
  ).split(' '),
);

/** Reads a plain JavaScript value as an attribute; a non-integer number is a float whatever its name. */
export function toAttribute(name: string, input: AttributeInput): Attribute {
  if (typeof input === 'bigint') return { type: 'int', value: input };
  if (typeof input === 'boolean') return { type: 'int', value: input ? 1 : 0 };
  if (typeof input === 'string') return { type: 'string', value: new TextEncoder().encode(input) };
  if (typeof input === 'number') {
    const float = FLOAT_ATTRIBUTES.has(name) || !Number.isInteger(input);
    return { type: float ? 'float' : 'int', value: input };
  }
  if (input instanceof Tensor) return { type: 'tensor', value: input };
  if (input instanceof SparseTensor) return { type: 'sparse', value: input };
  if (isList(input)) {
    if (typeof input[0] === 'string') {
      const encoder = new TextEncoder();
      return { type: 'strings', value: (input as readonly string[]).map(s => encoder.encode(s)) };
    }
    const numbers = input as readonly number[];
    const float = FLOAT_ATTRIBUTES.has(name) || !numbers.every(Number.isInteger);
    return { type: float ? 'floats' : 'ints', value: numbers };
  }
  if ('nodes' in input) return { type: 'graph', value: input };
  if ('type' in input) return input;
  throw new WhittleError(`attribute "${name}" has no ONNX type for its value`);
}

const isList = (input: AttributeInput): input is readonly number[] | readonly string[] =>
  Array.isArray(input);
