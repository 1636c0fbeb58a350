import { bitsOf, byteLengthOf, dtypeFromCode, isFloat } from '../dtype.js';
import { Graph } from '../graph.js';
import { analyzeShapes, type ShapeAnalysis } from '../infer/index.js';
import { Model } from '../model.js';
import { Node } from '../node.js';
import { OPS, type OpRegistry } from '../ops/index.js';
import { sizeOf, Tensor } from '../tensor.js';
import { Value } from '../value.js';
import { removeDead } from './dead.js';
import { functionOf } from './inline.js';

/** Runs a model without inputs and gives its outputs by name. The runtime is the caller's. */
export type Evaluate = (model: Model) => Promise<ReadonlyMap<string, Tensor>>;

export interface FoldOptions {
  readonly registry?: OpRegistry;
  /**
   * Nodes to leave alone. Default: those that unpack compressed weights (`DequantizeLinear`, and `Cast` to a wider
   * floating-point type), for folding them would undo the compression.
   */
  readonly keep?: (node: Node) => boolean;
  /** Results that take more bytes than this beyond the constants that they are made from are not folded. */
  readonly maxGrowth?: number;
}

const KEPT = new Set(['DequantizeLinear', 'QuantizeLinear', 'DynamicQuantizeLinear']);

function unpacks(node: Node): boolean {
  if (KEPT.has(node.opType)) return true;
  const source = node.opType === 'Cast' ? Graph.constantOf(node.inputs[0]) : undefined;
  const target = dtypeFromCode(node.int('to', 0));
  return (
    source !== undefined && target !== undefined && source.size > 64 && bitsOf(source.dtype) < bitsOf(target)
  );
}

/** A constant that is an output of its graph needs a node to hand it out. */
const handsOut = (node: Node): boolean => node.opType === 'Identity' && node.graph!.isOutput(node.output);

/**
 * Replaces what depends on nothing but constants by its value, and sizes that inference knows by numbers; then
 * removes what is left without use. Nodes that hold subgraphs stay; inside subgraphs it works as outside.
 * @returns how many values became constants
 */
export async function foldConstants(
  model: Model,
  evaluate: Evaluate,
  options: FoldOptions = {},
): Promise<number> {
  const analysis = analyzeShapes(model, options.registry ? { registry: options.registry } : {});
  let count = foldSizes(model.graph, analysis);
  const plan = new Plan(model, analysis, options);
  plan.visit(model.graph);
  const results = await plan.results(evaluate);
  for (const [value, tensor] of results) replaceByConstant(value, tensor);
  count += results.size;
  removeDead(model.graph);
  return count;
}

function replaceByConstant(value: Value, tensor: Tensor): void {
  const graph = value.producer!.graph!;
  graph.replaceUses(value, graph.constant(tensor, value.name));
}

/** Integer results whose elements inference knows, e.g. the shape of an input of fixed size. */
function foldSizes(graph: Graph, analysis: ShapeAnalysis): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    for (const inner of node.subgraphs) count += foldSizes(inner, analysis);
    const value = node.outputs[0];
    if (node.opType === 'Constant' || node.outputs.length !== 1 || !value || handsOut(node)) continue;
    const type = analysis.typeOf(value);
    const known = analysis.elementsOf(value);
    if (type?.kind !== 'tensor' || !type.dtype || isFloat(type.dtype) || !known) continue;
    if (value.uses.size === 0 && !graph.isOutput(value)) continue;
    if (!known.values.every(v => typeof v === 'number' && Number.isSafeInteger(v))) continue;
    replaceByConstant(value, Tensor.fromNumbers(type.dtype, known.dims, known.values as number[]));
    count++;
  }
  return count;
}

/** The nodes to fold, copied into a model of their own. */
class Plan {
  private readonly model: Model;
  private readonly analysis: ShapeAnalysis;
  private readonly registry: OpRegistry;
  private readonly keep: (node: Node) => boolean;
  private readonly maxGrowth: number;
  private readonly part = new Graph('constants');
  private readonly copies = new Map<Value, Value>();
  private readonly folded = new Set<Node>();

  constructor(model: Model, analysis: ShapeAnalysis, options: FoldOptions) {
    this.model = model;
    this.analysis = analysis;
    this.registry = options.registry ?? OPS;
    this.keep = options.keep ?? unpacks;
    this.maxGrowth = options.maxGrowth ?? 1 << 16;
  }

  visit(graph: Graph): void {
    graph.sort();
    const inputs = new Set(graph.inputs);
    for (const node of graph.nodes) {
      for (const inner of node.subgraphs) this.visit(inner);
      if (node.opType !== 'Constant' && this.isFoldable(node, inputs)) this.copy(node);
    }
  }

  async results(evaluate: Evaluate): Promise<Map<Value, Tensor>> {
    const results = new Map<Value, Tensor>();
    // Values that something reads that is not folded itself.
    const wanted = [...this.folded].flatMap(node =>
      node.outputs.flatMap(value => {
        const read = value?.consumers.some(consumer => !this.folded.has(consumer));
        return value && (read || node.graph?.isOutput(value)) ? [value] : [];
      }),
    );
    if (wanted.length === 0) return results;
    for (const value of wanted) this.part.addOutput(this.copies.get(value)!);
    const part = new Model(this.part);
    part.opsets = new Map(this.model.opsets);
    part.irVersion = this.model.irVersion;
    part.functions = this.model.functions;
    const tensors = await evaluate(part);
    for (const value of wanted) {
      const tensor = tensors.get(this.copies.get(value)!.name);
      if (tensor) results.set(value, tensor);
    }
    return results;
  }

  private isFoldable(node: Node, inputs: ReadonlySet<Value>): boolean {
    const definition = this.registry.of(node);
    const known = definition ? !definition.random : functionOf(this.model, node) !== undefined;
    if (!known || node.subgraphs.length > 0 || this.keep(node) || !node.outputs[0] || handsOut(node))
      return false;
    // The default of an input is not a constant.
    if (!node.inputs.every(input => !input || (this.isConstant(input) && !inputs.has(input)))) return false;
    return this.growth(node) <= this.maxGrowth;
  }

  private isConstant(value: Value): boolean {
    return (
      Graph.constantOf(value) !== undefined || (value.producer !== null && this.folded.has(value.producer))
    );
  }

  /** Bytes of the outputs beyond those of the constants they are made from; infinite where not known. */
  private growth(node: Node): number {
    const bytes = (value: Value | null): number => {
      if (!value) return 0;
      const shape = this.analysis.fixedShapeOf(value);
      const type = this.analysis.typeOf(value);
      const dtype = type?.kind === 'tensor' ? type.dtype : undefined;
      return shape && dtype ? byteLengthOf(dtype, sizeOf(shape)) : Number.POSITIVE_INFINITY;
    };
    const total = (values: readonly (Value | null)[]): number => values.reduce((sum, v) => sum + bytes(v), 0);
    return total(node.outputs) - total(node.inputs);
  }

  private copy(node: Node): void {
    const inputs = node.inputs.map(input => (input ? this.copyOf(input) : null));
    const outputs = node.outputs.map(output => (output ? this.copyOf(output) : null));
    const copy = new Node(node.opType, inputs, outputs, { domain: node.domain, overload: node.overload });
    for (const [name, attribute] of node.attributes) copy.attributes.set(name, attribute);
    this.part.insert(copy);
    this.folded.add(node);
  }

  private copyOf(value: Value): Value {
    const known = this.copies.get(value);
    if (known) return known;
    const tensor = Graph.constantOf(value);
    const copy = tensor ? this.part.constant(tensor, value.name) : new Value(this.part.freshName(value.name));
    this.copies.set(value, copy);
    return copy;
  }
}
