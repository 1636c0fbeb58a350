import type { AttributeInput } from '../../graph/attribute.js';
import { type DType, dtypeFromCode, isFloat } from '../../graph/dtype.js';
import { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import { Node, type NodeInput } from '../../graph/node.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';

/** What an operator became in one version of ONNX's operator set. Changes that keep old nodes valid need none. */
export interface Change {
  readonly op: string;
  /** The version that brought the change. */
  readonly version: number;
  /** Attributes whose values are needed here, and so must not be references to those of a function. */
  readonly reads?: readonly string[];
  /** Why a node cannot be changed, `undefined` where it can. Asked before anything is changed. */
  refuse?(node: Node, context: ChangeContext): string | undefined;
  /** Makes a node of the version before one of this version. */
  apply(node: Node, context: ChangeContext): void;
}

/** What changes need to know of the model, and ways of editing it. */
export class ChangeContext {
  private readonly functionBodies: ReadonlySet<Graph>;
  private readonly onlyFloat: DType | undefined;
  private readonly added: { graph: Graph; value: Value }[] = [];

  constructor(model: Model) {
    this.functionBodies = new Set(model.functions.map(f => f.graph));
    this.onlyFloat = onlyFloatOf(model);
  }

  /** A new constant beside a node: an initializer, or in a function, which has none, a Constant node. */
  constant(node: Node, tensor: Tensor, name: string): Value {
    const graph = node.graph!;
    const hint = `${node.label}.${name}`;
    if (this.functionBodies.has(graph)) return graph.op('Constant', [], { value: tensor }, { name: hint });
    const value = graph.constant(tensor, hint);
    this.added.push({ graph, value });
    return value;
  }

  /** Removes constants that a later change made superfluous. */
  removeUnused(): void {
    for (const { graph, value } of this.added) if (value.uses.size === 0) graph.initializers.delete(value);
  }

  /** Turns an integer-list attribute into an int64 input; without the attribute nothing happens. */
  moveToInput(node: Node, attribute: string, index: number): void {
    const values = node.ints(attribute);
    node.attributes.delete(attribute);
    if (values && values.length > 0) {
      setInputAt(node, index, this.constant(node, Tensor.int64(values), attribute));
    }
  }

  /** The floating-point dtype of a value; where nothing says it, the only one that the model has. */
  floatDtype(value: NodeInput | undefined): DType | undefined {
    const dtype = value?.dtype ?? Graph.constantOf(value)?.dtype;
    return dtype ?? this.onlyFloat;
  }
}

/** Sets an input, filling up with left-out ones before it. */
export function setInputAt(node: Node, index: number, value: NodeInput): void {
  const inputs = [...node.inputs];
  while (inputs.length <= index) inputs.push(null);
  inputs[index] = value;
  node.setInputs(inputs);
}

/** Puts another operator in the place of a node: it computes the same output values. */
export function replaceNode(
  node: Node,
  opType: string,
  inputs: readonly NodeInput[],
  attributes: Readonly<Record<string, AttributeInput | undefined>>,
  outputs: readonly (Value | null)[] = node.outputs,
): Node {
  const graph = node.graph!;
  const { name, extra } = node;
  node.setInputs([]);
  graph.nodes.delete(node);
  node.graph = null;
  const replacement = new Node(opType, inputs, outputs, { attributes, name });
  replacement.extra = extra;
  return graph.insert(replacement);
}

/** Whether anything uses one of a node's outputs from `index` on. */
export const usesOutputsFrom = (node: Node, index: number): boolean =>
  node.outputs.slice(index).some(output => output && (output.uses.size > 0 || node.graph?.isOutput(output)));

/** The floating-point dtype that all inputs, constants and casts of a model agree on. */
function onlyFloatOf(model: Model): DType | undefined {
  const found = new Set<DType>();
  const add = (dtype: DType | undefined) => {
    if (dtype && isFloat(dtype)) found.add(dtype);
  };
  const visit = (graph: Graph) => {
    for (const value of [...graph.inputs, ...graph.initializers]) add(value.dtype);
    for (const node of graph.nodes) {
      if (node.opType === 'Cast') add(dtypeFromCode(node.int('to', 1)));
      for (const output of node.outputs) add(output?.dtype ?? Graph.constantOf(output)?.dtype);
      for (const subgraph of node.subgraphs) visit(subgraph);
    }
  };
  visit(model.graph);
  for (const { graph } of model.functions) visit(graph);
  return found.size === 1 ? [...found][0] : undefined;
}
