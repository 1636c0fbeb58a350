import { bitsOf, byteLengthOf, dtypeFromCode } from '../dtype.js';
import { Graph } from '../graph.js';
import type { ShapeAnalysis } from '../infer/index.js';
import { Model } from '../model.js';
import { Node } from '../node.js';
import type { OpRegistry } from '../ops/index.js';
import { sizeOf, type Tensor } from '../tensor.js';
import { Value } from '../value.js';
import { functionOf } from './inline.js';

/** Runs a model without inputs and gives its outputs by name. The runtime is the caller's. */
export type Evaluate = (model: Model) => Promise<ReadonlyMap<string, Tensor>>;

/** Results that take more bytes than this beyond the constants that they are made from are not folded. */
const MOST_GROWTH = 1 << 16;

const KEPT = new Set(['DequantizeLinear', 'QuantizeLinear', 'DynamicQuantizeLinear']);

/** Unpacks compressed weights: folding it would undo the compression. */
function unpacks(node: Node): boolean {
  if (KEPT.has(node.opType)) return true;
  const source = node.opType === 'Cast' ? Graph.constantOf(node.inputs[0]) : undefined;
  const target = dtypeFromCode(node.int('to', 0));
  return (
    source !== undefined && target !== undefined && source.size > 64 && bitsOf(source.dtype) < bitsOf(target)
  );
}

/** A constant that is an output of its graph needs a node to hand it out. */
export const handsOut = (node: Node): boolean =>
  node.opType === 'Identity' && node.graph!.isOutput(node.output);

/** Puts a constant in the place of what a node gives. */
export function replaceByConstant(value: Value, tensor: Tensor): void {
  const graph = value.producer!.graph!;
  graph.replaceUses(value, graph.constant(tensor, value.name));
}

/** The nodes of a model that depend on nothing but constants. */
export class FoldPlan {
  /** In order; each after those that it reads. */
  readonly nodes: ReadonlySet<Node>;
  private readonly model: Model;
  private readonly analysis: ShapeAnalysis;
  private readonly registry: OpRegistry;
  private readonly found = new Set<Node>();

  constructor(model: Model, analysis: ShapeAnalysis, registry: OpRegistry) {
    this.model = model;
    this.analysis = analysis;
    this.registry = registry;
    this.visit(model.graph);
    this.nodes = this.found;
  }

  /**
   * Computes what others than these nodes read of them.
   * @param nodes nodes of the plan, with all of it that they depend on
   */
  async results(nodes: ReadonlySet<Node>, evaluate: Evaluate): Promise<Map<Value, Tensor>> {
    const results = new Map<Value, Tensor>();
    const wanted = resultsOf(nodes);
    if (wanted.length === 0) return results;
    const { graph, copies } = copied(nodes);
    for (const value of wanted) graph.addOutput(copies.get(value)!);
    const part = new Model(graph);
    part.opsets = new Map(this.model.opsets);
    part.irVersion = this.model.irVersion;
    part.functions = this.model.functions;
    const tensors = await evaluate(part);
    for (const value of wanted) {
      const tensor = tensors.get(copies.get(value)!.name);
      if (tensor) results.set(value, tensor);
    }
    return results;
  }

  /** The bytes of a tensor; infinite where they are not known. */
  bytesOf(value: Value): number {
    const shape = this.analysis.fixedShapeOf(value);
    const type = this.analysis.typeOf(value);
    const dtype = type?.kind === 'tensor' ? type.dtype : undefined;
    return shape && dtype ? byteLengthOf(dtype, sizeOf(shape)) : Number.POSITIVE_INFINITY;
  }

  private visit(graph: Graph): void {
    graph.sort();
    const inputs = new Set(graph.inputs);
    for (const node of graph.nodes) {
      for (const inner of node.subgraphs) this.visit(inner);
      if (node.opType !== 'Constant' && this.isFoldable(node, inputs)) this.found.add(node);
    }
  }

  private isFoldable(node: Node, inputs: ReadonlySet<Value>): boolean {
    const definition = this.registry.of(node);
    const known = definition ? !definition.random : functionOf(this.model, node) !== undefined;
    if (!known || node.subgraphs.length > 0 || unpacks(node) || !node.outputs[0] || handsOut(node))
      return false;
    // The default of an input is not a constant.
    if (!node.inputs.every(input => !input || (this.isConstant(input) && !inputs.has(input)))) return false;
    const total = (values: readonly (Value | null)[]): number =>
      values.reduce((sum, value) => sum + (value ? this.bytesOf(value) : 0), 0);
    return total(node.outputs) - total(node.inputs) <= MOST_GROWTH;
  }

  private isConstant(value: Value): boolean {
    return (
      Graph.constantOf(value) !== undefined || (value.producer !== null && this.found.has(value.producer))
    );
  }
}

/** What something else reads of these nodes. */
export const resultsOf = (nodes: ReadonlySet<Node>): Value[] =>
  [...nodes].flatMap(node =>
    node.outputs.flatMap(value => {
      const read = value?.consumers.some(consumer => !nodes.has(consumer));
      return value && (read || node.graph?.isOutput(value)) ? [value] : [];
    }),
  );

/** Nodes in a graph of their own. */
function copied(nodes: Iterable<Node>): { graph: Graph; copies: Map<Value, Value> } {
  const graph = new Graph('constants');
  const copies = new Map<Value, Value>();
  const copyOf = (value: Value): Value => {
    const known = copies.get(value);
    if (known) return known;
    const tensor = Graph.constantOf(value);
    const copy = tensor ? graph.constant(tensor, value.name) : new Value(graph.freshName(value.name));
    copies.set(value, copy);
    return copy;
  };
  for (const node of nodes) {
    const inputs = node.inputs.map(input => (input ? copyOf(input) : null));
    const outputs = node.outputs.map(output => (output ? copyOf(output) : null));
    const copy = new Node(node.opType, inputs, outputs, { domain: node.domain, overload: node.overload });
    for (const [name, attribute] of node.attributes) copy.attributes.set(name, attribute);
    graph.insert(copy);
  }
  return { graph, copies };
}
