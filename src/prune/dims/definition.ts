import type { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import type { Shape } from '../../graph/value.js';
import type { Axis } from '../labels.js';

/** What a rule sees of its node, and where it says which dimensions go together. */
export interface PassContext {
  readonly node: Node;
  readonly opset: number;
  has(input: number): boolean;
  /** Axes of an input. @throws Refusal where its rank is unknown */
  axes(input: number): readonly Axis[];
  /** @throws Refusal where the rank is unknown */
  shape(input: number): Shape;
  outputShape(output: number): Shape;
  /** The elements of a small input, where all are known before the model runs. */
  numbers(input: number): number[] | undefined;
  /** Declares the axes of an output; outputs that are not declared stay as they are. */
  out(output: number, axes: readonly Axis[]): void;
  /** An axis that nothing else has a part in yet. */
  fresh(size: number): Axis;
  /** Two axes of the same size whose indices go together; returns one that has labels, if any has. */
  join(a: Axis, b: Axis): Axis;
  /** Keeps axes whole. */
  fix(axes: Axis | readonly Axis[] | undefined, reason: string): void;
  /** Seen as a product of sizes (row-major), an axis has these factors. */
  split(axis: Axis, sizes: readonly number[]): Axis[];
  /** The axis that is the product of factors, row-major. */
  product(factors: readonly Axis[], sizes: readonly number[]): Axis;
  /** Axes one behind the other. */
  concat(axes: readonly Axis[], sizes: Shape): Axis;
  /** The node sums over this axis of an input, so that a zero there is the same as nothing. */
  contract(input: number, axis: number): void;
  /** Removing from this axis changes more than masking it would: statistics are taken over it. */
  approximate(axis: Axis, reason: string): void;
}

/** What a rule sees when indices are removed. */
export interface ShrinkContext {
  /** The node to edit. Its constants are cut already. */
  readonly node: Node;
  readonly graph: Graph;
  readonly opset: number;
  /** Sizes of an input before. */
  shape(input: number): Shape;
  outputShape(output: number): Shape;
  /** The indices that an axis of an input keeps; `undefined` where it keeps all. */
  kept(input: number, axis: number): readonly number[] | undefined;
  keptOutput(output: number, axis: number): readonly number[] | undefined;
  /** Sizes of an axis afterwards; it must be fixed. */
  left(input: number, axis: number): number;
  leftOutput(output: number, axis: number): number;
  /** The elements of a small input before, where all are known. */
  numbers(input: number): number[] | undefined;
}

/** How dimensions pass through a family of operators. One file for each family, listed in `dims/index.ts`. */
export interface DimRule {
  readonly ops: readonly string[];
  /** Default ONNX's own. */
  readonly domain?: string;
  pass(context: PassContext): void;
  /** Corrects attributes and shape inputs; left out where constants are all that changes. */
  shrink?(context: ShrinkContext): void;
}

/** Thrown by a rule: why the dimensions at a node cannot be followed. All that it touches then stays as it is. */
export class Refusal extends Error {}
