import { byteLengthOf, type DType } from './dtype.js';
import { WhittleError } from './errors.js';
import { Graph } from './graph.js';
import { analyzeShapes, type InferOptions, type ShapeAnalysis } from './infer/index.js';
import { Model } from './model.js';
import type { Node } from './node.js';
import { type CostContext, flops, OPS, type OpCost, type OpRegistry } from './ops/index.js';
import { sizeOf } from './tensor.js';
import type { Value } from './value.js';

/** What one execution of a node takes. */
export interface NodeCost extends OpCost {
  readonly node: Node;
  /** Bytes of the constants among its inputs; one that several nodes share counts at each. */
  readonly parameterBytes: number;
  /** Bytes of its outputs. */
  readonly activationBytes: number;
}

export interface GraphCost extends OpCost {
  /** One entry for each node of the outer graph, in order; a subgraph counts at the node that holds it. */
  readonly nodes: readonly NodeCost[];
  /** Bytes of all constants, each counted once, those of subgraphs included. */
  readonly parameterBytes: number;
  /** Bytes of all outputs of all nodes. */
  readonly activationBytes: number;
  /** Most bytes of activations alive at once when nodes run in order and memory is freed after the last use. */
  readonly peakActivationBytes: number;
  /** Nodes whose cost is not known, because a shape is not fixed; they count as nothing in the sums. */
  readonly unknown: readonly Node[];
}

export interface CostOptions extends InferOptions {
  /** An analysis made before, e.g. to ask for the cost of many nodes. */
  readonly analysis?: ShapeAnalysis;
}

/**
 * Cost of one node.
 * @throws WhittleError where a shape that the cost depends on is not fixed
 */
export function costOf(node: Node, options: CostOptions = {}): NodeCost {
  const analysis = options.analysis ?? analyzeShapes(node.graph?.root ?? new Graph(), options);
  return new Costs(analysis, options.registry ?? OPS, options.opsets).of(node);
}

/**
 * Cost of a model or graph. Shapes should be fixed: give `inputShapes` where inputs have symbolic ones.
 */
export function graphCost(target: Model | Graph, options: CostOptions = {}): GraphCost {
  const analysis = options.analysis ?? analyzeShapes(target, options);
  const graph = target instanceof Model ? target.graph : target;
  const opsets = target instanceof Model ? target.opsets : options.opsets;
  const costs = new Costs(analysis, options.registry ?? OPS, opsets);
  const nodes: NodeCost[] = [];
  const unknown: Node[] = [];
  graph.sort();
  for (const node of graph.nodes) {
    try {
      nodes.push(costs.of(node));
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error;
      unknown.push(node);
      nodes.push({
        node,
        macs: 0,
        flops: 0,
        parameterBytes: parameterBytes(node),
        activationBytes: node.outputs.reduce((sum, value) => sum + ((value && costs.bytesOf(value)) ?? 0), 0),
      });
    }
  }
  const total = (key: 'macs' | 'flops' | 'activationBytes'): number =>
    nodes.reduce((sum, cost) => sum + cost[key], 0);
  return {
    nodes,
    macs: total('macs'),
    flops: total('flops'),
    activationBytes: total('activationBytes'),
    parameterBytes: allParameterBytes(graph),
    peakActivationBytes: peakBytes(graph, value => costs.bytesOf(value) ?? 0),
    unknown,
  };
}

class Costs {
  private readonly analysis: ShapeAnalysis;
  private readonly registry: OpRegistry;
  private readonly opsets: ReadonlyMap<string, number> | undefined;

  constructor(
    analysis: ShapeAnalysis,
    registry: OpRegistry,
    opsets: ReadonlyMap<string, number> | undefined,
  ) {
    this.analysis = analysis;
    this.registry = registry;
    this.opsets = opsets;
  }

  of(node: Node): NodeCost {
    const context = this.contextOf(node);
    const cost = this.registry.of(node)?.cost?.(context) ?? flops(0);
    let activationBytes = 0;
    // A Constant's output is a parameter, not an activation.
    if (!Graph.constantOf(node.outputs[0])) {
      for (const value of node.outputs) {
        if (!value) continue;
        const bytes = this.bytesOf(value);
        if (bytes === undefined) throw notFixed(node, value);
        activationBytes += bytes;
      }
    }
    return { node, ...cost, parameterBytes: parameterBytes(node), activationBytes };
  }

  /** Bytes of a tensor of fixed shape, else `undefined`. */
  bytesOf(value: Value): number | undefined {
    const type = this.analysis.typeOf(value);
    const shape = this.analysis.fixedShapeOf(value);
    const dtype: DType | undefined = type?.kind === 'tensor' ? type.dtype : undefined;
    return shape && dtype && byteLengthOf(dtype, sizeOf(shape));
  }

  private contextOf(node: Node): CostContext {
    const fixed = (value: Value | null | undefined): readonly number[] => {
      const shape = value && this.analysis.fixedShapeOf(value);
      if (!shape) throw notFixed(node, value);
      return shape;
    };
    return {
      node,
      opset: this.opsets?.get(node.domain) ?? Number.MAX_SAFE_INTEGER,
      has: input => Boolean(node.inputs[input]),
      shape: input => fixed(node.inputs[input]),
      outputShape: output => fixed(node.outputs[output]),
      numbers: input => {
        const value = node.inputs[input];
        const values = value ? this.analysis.elementsOf(value)?.values : undefined;
        return values?.every(v => typeof v === 'number') ? (values as number[]) : undefined;
      },
      graphCost: graph => {
        const sum = { macs: 0, flops: 0 };
        for (const inner of graph.nodes) {
          const cost = this.of(inner);
          sum.macs += cost.macs;
          sum.flops += cost.flops;
        }
        return sum;
      },
    };
  }
}

const notFixed = (node: Node, value: Value | null | undefined): WhittleError =>
  new WhittleError(`the cost of ${node.opType} needs fixed shapes`, {
    node: node.label,
    ...(value && { value: value.name }),
    hint: 'Give the shapes of the inputs',
  });

const parameterBytes = (node: Node): number =>
  node.inputs.reduce((sum, input) => sum + (Graph.constantOf(input)?.byteLength ?? 0), 0);

function allParameterBytes(graph: Graph): number {
  let bytes = 0;
  const add = (value: Value | null | undefined): void => {
    bytes += Graph.constantOf(value)?.byteLength ?? 0;
  };
  for (const value of graph.initializers) add(value);
  for (const node of graph.nodes) {
    if (node.opType === 'Constant') add(node.outputs[0]);
    for (const inner of node.subgraphs) bytes += allParameterBytes(inner);
  }
  return bytes;
}

/** Bytes alive at the worst moment: each value from its producer to its last use, inputs and outputs throughout. */
function peakBytes(graph: Graph, bytesOf: (value: Value) => number): number {
  const order = [...graph.nodes];
  const lastUse = new Map<Value, number>();
  const use = (node: Node, at: number): void => {
    for (const input of node.inputs) if (input) lastUse.set(input, at);
    for (const inner of node.subgraphs) {
      for (const value of inner.outputs) lastUse.set(value, at);
      for (const inside of inner.nodes) use(inside, at);
    }
  };
  order.forEach((node, at) => {
    use(node, at);
  });
  for (const output of graph.outputs) lastUse.set(output, order.length);
  const freed = new Map<number, number>();
  let alive = graph.inputs.reduce((sum, input) => sum + (input.initializer ? 0 : bytesOf(input)), 0);
  let peak = alive;
  order.forEach((node, at) => {
    for (const output of node.outputs) {
      if (!output || Graph.constantOf(output)) continue;
      const bytes = bytesOf(output);
      alive += bytes;
      const last = lastUse.get(output) ?? at;
      freed.set(last, (freed.get(last) ?? 0) + bytes);
    }
    peak = Math.max(peak, alive);
    alive -= freed.get(at) ?? 0;
  });
  return peak;
}
