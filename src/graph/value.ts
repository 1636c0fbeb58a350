import type { DType } from './dtype.js';
import type { Node } from './node.js';
import type { SparseTensor } from './sparse.js';
import type { Tensor } from './tensor.js';

/** One dimension: a fixed size, a symbolic name (`batch`), or `null` where nothing is known. */
export type Dim = number | string | null;

/** A shape with its rank known; a shape that is not known at all is `undefined`. */
export type Shape = readonly Dim[];

/** What a value holds. Nearly always a tensor; the rest exists in `If`, `Loop` and classic ML models. */
export type ValueType =
  | { readonly kind: 'tensor' | 'sparse'; readonly dtype: DType | undefined; readonly shape?: Shape }
  | { readonly kind: 'sequence' | 'optional'; readonly element: ValueType }
  | { readonly kind: 'map'; readonly key: DType; readonly element: ValueType }
  | { readonly kind: 'opaque' };

/**
 * A value of a graph: an input, an initializer, or the output of one node. Nodes refer to values by identity,
 * across subgraphs too (a subgraph's node may use a value of the graph around it). Names matter only in files;
 * rename freely, but not to a name that another value of the same graph or of a graph around it has.
 */
export class Value {
  name: string;
  type: ValueType | undefined;
  /** The node that computes it; `null` for inputs and initializers. Maintained by Node and Graph. */
  producer: Node | null = null;
  /** The constant that it holds (or, for a graph input of the same name, its default). */
  initializer: Tensor | SparseTensor | undefined;
  /** Whether the type stood in the file (and is written again), rather than being inferred. */
  declared = false;
  /** File-format leftovers (documentation, metadata, fields unknown to us), kept for writing. */
  extra: unknown;
  /** How often each node uses it. Maintained by Node. */
  readonly uses: Map<Node, number> = new Map();

  constructor(name: string, type?: ValueType) {
    this.name = name;
    this.type = type;
  }

  get dtype(): DType | undefined {
    return this.type?.kind === 'tensor' ? this.type.dtype : undefined;
  }

  /** The shape, `undefined` where even the rank is unknown. */
  get shape(): Shape | undefined {
    return this.type?.kind === 'tensor' ? this.type.shape : undefined;
  }

  /** The shape where all dimensions are fixed, else `undefined`. */
  get fixedShape(): readonly number[] | undefined {
    const shape = this.shape;
    return shape?.every(dim => typeof dim === 'number') ? shape : undefined;
  }

  /** The nodes that use it, subgraphs' included. */
  get consumers(): Node[] {
    return [...this.uses.keys()];
  }
}

/** The type of a tensor; without a shape its rank is unknown, without a dtype its elements are. */
export const tensorType = (dtype: DType | undefined, shape?: Shape): ValueType =>
  shape === undefined ? { kind: 'tensor', dtype } : { kind: 'tensor', dtype, shape };
