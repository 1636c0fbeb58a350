import type { DType } from '../graph/dtype.js';
import type { Tensor } from '../graph/tensor.js';
import type { Dim } from '../graph/value.js';

/** What a model says about one of its inputs or outputs; sessions and `graph.inputs` can both give it. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  /** `undefined` where not even the rank is known. */
  readonly shape: readonly Dim[] | undefined;
  /** Whether the model has a default for it (an input that is an initializer too). */
  readonly optional?: boolean;
}

/** The inputs that a model must be fed, in its order. */
export type Signature = readonly TensorInfo[];

/** The feeds of one run: a tensor for each input. */
export type Sample = Record<string, Tensor>;

/** Inputs to calibrate or to evaluate with. */
export interface InputSource {
  /** One sentence for people: what these inputs are. */
  readonly description: string;
  /** What was assumed or converted, one sentence each: to be shown, since figures rest on it. */
  readonly notes?: readonly string[];
  /** How many samples there are, where that is known without reading them. */
  readonly length?: number;
  /** Whether they were made up rather than given: figures then measure agreement on random inputs only. */
  readonly generated?: boolean;
  /** The samples in an order that is the same at every call. */
  samples(): AsyncIterable<Sample>;
  /** One sample by index, where reading it alone is cheaper than reading those before it. */
  sample?(index: number): Promise<Sample>;
}

/** A source of samples that can be made one by one, by index. */
export function indexedSource(
  about: Omit<InputSource, 'samples' | 'sample' | 'length'>,
  length: number,
  sample: (index: number) => Sample | Promise<Sample>,
): InputSource & { readonly length: number; sample(index: number): Promise<Sample> } {
  return {
    ...about,
    length,
    sample: async index => sample(index),
    async *samples() {
      for (let i = 0; i < length; i++) yield await sample(i);
    },
  };
}

/** A shape as people write it: `[1, 3, height, ?]`. */
export const formatShape = (shape: readonly Dim[] | undefined): string =>
  shape === undefined ? '[…]' : `[${shape.map(dim => dim ?? '?').join(', ')}]`;

/** Whether a dimension's name means something: exporters also write `?` or `None` where they know nothing. */
export const isNamed = (dim: Dim): dim is string =>
  typeof dim === 'string' && /\w/.test(dim) && dim.toLowerCase() !== 'none';

/** Whether a fixed shape fits one with open dimensions. A name that occurs twice must mean one size. */
export function shapeFits(dims: readonly number[], shape: readonly Dim[] | undefined): boolean {
  if (shape === undefined) return true;
  if (dims.length !== shape.length) return false;
  const sizes = new Map<string, number>();
  return shape.every((dim, i) => {
    if (typeof dim === 'number') return dim === dims[i];
    if (!isNamed(dim)) return true;
    const known = sizes.get(dim);
    sizes.set(dim, dims[i]!);
    return known === undefined || known === dims[i];
  });
}
