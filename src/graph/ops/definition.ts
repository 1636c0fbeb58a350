import type { DType } from '../dtype.js';
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Tensor } from '../tensor.js';
import type { Dim, Shape, ValueType } from '../value.js';
import type { Vjp } from './vjp.js';

/**
 * What is known of the elements of a small tensor before the model runs: numbers, expressions over symbolic
 * dimensions, `null` where nothing is known. This carries shapes that a model computes (Shape → Gather → Concat →
 * Reshape). Booleans are 0 and 1.
 */
export interface KnownElements {
  readonly dims: readonly number[];
  /** Row-major, one for each element. */
  readonly values: readonly Dim[];
}

/** A type with what is known of the elements. */
export interface ValueFacts {
  readonly type: ValueType | undefined;
  readonly elements?: KnownElements | undefined;
}

/** Whether a subgraph runs, as far as that is known beforehand. */
export type Runs = 'always' | 'maybe' | 'never';

/** What an operator's shape inference sees of its node, and where it puts what it finds. */
export interface InferContext {
  readonly node: Node;
  /** Version of the operator set of the node's domain. */
  readonly opset: number;
  /** Whether the optional input is there. */
  has(input: number): boolean;
  type(input: number): ValueType | undefined;
  dtype(input: number): DType | undefined;
  /** `undefined` where not even the rank is known. */
  shape(input: number): Shape | undefined;
  elements(input: number): KnownElements | undefined;
  /** The elements as numbers, where all are known. */
  numbers(input: number): number[] | undefined;
  /** Whether this output is there and used by name. */
  hasOutput(output: number): boolean;
  set(output: number, dtype: DType | undefined, shape?: Shape): void;
  setType(output: number, type: ValueType | undefined): void;
  /** Says what the elements of an output are; call after `set`, whose shape they take. */
  setElements(output: number, values: readonly Dim[] | undefined): void;
  /**
   * Infers a subgraph of the node from what its inputs are, and returns what its outputs are. What is wrong in a
   * graph that never runs is no problem of the model. Default: 'always'.
   */
  inferGraph(graph: Graph, inputs: readonly ValueFacts[], runs?: Runs): ValueFacts[];
  /** The node breaks a rule of its operator. */
  fail(problem: string, hint?: string): never;
}

/** What an operator's cost sees of its node: fixed shapes only. */
export interface CostContext {
  readonly node: Node;
  readonly opset: number;
  /** @throws where the shape is not fixed; the caller then counts the node among those of unknown cost */
  shape(input: number): readonly number[];
  outputShape(output: number): readonly number[];
  /** The elements of a small input, where they are known before the model runs. */
  numbers(input: number): number[] | undefined;
  has(input: number): boolean;
  /** Cost of one pass through a subgraph of the node. */
  graphCost(graph: Graph): OpCost;
}

/** Arithmetic of one execution. */
export interface OpCost {
  /** Multiply-accumulate operations of matrix products and convolutions. */
  readonly macs: number;
  /** Floating-point operations: two per multiply-accumulate, one per arithmetic step of the rest. */
  readonly flops: number;
}

/** Everything that Whittle knows of an operator. */
export interface OpDefinition {
  readonly op: string;
  /** '' for ONNX's own operators. */
  readonly domain: string;
  /** Fewest and most inputs; for ONNX's own operators the table of the standard says it. */
  readonly inputs?: readonly [number, number];
  /** Attributes that a node must have; likewise. */
  readonly required?: readonly string[];
  /** Whether two runs on the same inputs may differ. */
  readonly random?: boolean;
  /** Sets types and shapes of the outputs as far as they follow from the inputs. */
  readonly infer?: (context: InferContext) => void;
  /** Arithmetic of one execution; an operator without it only moves data. */
  readonly cost?: (context: CostContext) => OpCost;
  /** Its gradient. */
  readonly vjp?: Vjp;
}

/** Fills in the domain. */
export const defineOp = (
  definition: Omit<OpDefinition, 'domain'> & { readonly domain?: string },
): OpDefinition => ({ domain: '', ...definition });

/** The same definition under several names. */
export const defineOps = (
  names: string,
  definition: Omit<OpDefinition, 'domain' | 'op'> & { readonly domain?: string },
): OpDefinition[] => names.split(' ').map(op => defineOp({ ...definition, op }));

/** A cost of multiply-accumulates. */
export const macs = (count: number): OpCost => ({ macs: count, flops: 2 * count });

/** A cost of other arithmetic. */
export const flops = (count: number): OpCost => ({ macs: 0, flops: count });

/** The elements of a constant where there are few of them, as shape arithmetic wants them. */
export function elementsOf(tensor: Tensor): KnownElements | undefined {
  if (tensor.size > MAX_KNOWN_ELEMENTS || !READABLE.has(tensor.dtype)) return undefined;
  const values =
    tensor.dtype === 'int64' || tensor.dtype === 'uint64'
      ? Array.from(tensor.data() as BigInt64Array, Number) // INT64_MAX means "to the end"
      : tensor.toNumbers();
  return { dims: tensor.dims, values };
}

/** Tensors with more elements than this take no part in shape arithmetic. */
export const MAX_KNOWN_ELEMENTS = 512;

const READABLE = new Set<DType>(
  'float32 float64 float16 bfloat16 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool'.split(
    ' ',
  ) as DType[],
);
