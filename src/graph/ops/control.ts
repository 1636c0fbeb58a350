import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import { type Dim, tensorType, type ValueType } from '../value.js';
import { normalizeAxis } from './axes.js';
import {
  type CostContext,
  defineOp,
  flops,
  type InferContext,
  type OpCost,
  type OpDefinition,
  type ValueFacts,
} from './definition.js';
import { commonType } from './type-join.js';

/** The subgraph in an attribute. @throws by `context.fail` where there is none */
function subgraph(context: { readonly node: Node }, name: string): Graph | undefined {
  const attribute = context.node.attributes.get(name);
  return attribute?.type === 'graph' ? attribute.value : undefined;
}

function requireSubgraph(context: InferContext, name: string): Graph {
  return subgraph(context, name) ?? context.fail(`attribute "${name}" holds no graph`);
}

const ifOp = defineOp({
  op: 'If',
  infer(context) {
    const condition = context.elements(0)?.values[0];
    const known = typeof condition === 'number';
    const branches = ['then_branch', 'else_branch'].map((name, i) => {
      const runs = !known ? 'maybe' : (condition !== 0) === (i === 0) ? 'always' : 'never';
      return { facts: context.inferGraph(requireSubgraph(context, name), [], runs), runs };
    });
    const live = branches.filter(branch => branch.runs !== 'never');
    for (let i = 0; i < context.node.outputs.length; i++) {
      const facts = live.map(branch => branch.facts[i]);
      context.setType(i, facts.map(f => f?.type).reduce(commonType));
      if (live.length === 1) context.setElements(i, facts[0]?.elements?.values);
    }
  },
  cost(context) {
    const costs = ['then_branch', 'else_branch'].map(name => costOfBody(context, name));
    return costs.reduce((a, b) => (a.flops >= b.flops ? a : b));
  },
});

function costOfBody(context: CostContext, name: string): OpCost {
  const graph = subgraph(context, name);
  return graph ? context.graphCost(graph) : flops(0);
}

const times = (cost: OpCost, count: number): OpCost => ({
  macs: cost.macs * count,
  flops: cost.flops * count,
});

const loop = defineOp({
  op: 'Loop',
  infer(context) {
    const body = requireSubgraph(context, 'body');
    const count = context.node.inputs.length - 2;
    const iteration: ValueFacts = { type: tensorType('int64', []) };
    // Inside the body the condition holds.
    const condition: ValueFacts = { type: tensorType('bool', []), elements: { dims: [], values: [1] } };
    let carried = Array.from({ length: count }, (_, i) => context.type(i + 2));
    let outputs: ValueFacts[] = [];
    // A carried value may change its shape: widen until what goes in covers what comes out.
    for (let round = 0; round < MAX_ROUNDS; round++) {
      outputs = context.inferGraph(body, [iteration, condition, ...carried.map(type => ({ type }))]);
      const wider = carried.map((type, i) => commonType(type, outputs[i + 1]?.type));
      if (JSON.stringify(wider) === JSON.stringify(carried)) break;
      carried = wider;
    }
    carried.forEach((type, i) => {
      context.setType(i, type);
    });
    // The number of iterations is fixed where nothing but the trip count ends the loop.
    const endless = outputs[0]?.elements?.values[0] === 1 && !context.has(1);
    const trips: Dim = endless ? (context.elements(0)?.values[0] ?? null) : null;
    for (let i = count; i < context.node.outputs.length; i++) {
      context.setType(i, stacked(outputs[i + 1]?.type, trips, 0));
    }
  },
  cost(context) {
    const trips = context.has(1) ? undefined : context.numbers(0)?.[0];
    if (trips === undefined) throw new RangeError('the trip count is not fixed');
    return times(costOfBody(context, 'body'), trips);
  },
});

/** Every dimension of a carried value can widen once; ranks are small. */
const MAX_ROUNDS = 8;

/** A type with one more axis. */
function stacked(type: ValueType | undefined, dim: Dim, axis: number): ValueType | undefined {
  if (type?.kind !== 'tensor') return undefined;
  const at = axis < 0 ? axis + (type.shape?.length ?? 0) + 1 : axis;
  return tensorType(type.dtype, type.shape && [...type.shape.slice(0, at), dim, ...type.shape.slice(at)]);
}

const scan = defineOp({
  op: 'Scan',
  infer(context) {
    if (context.opset < 9) return; // had a batch axis and a list of lengths; nothing writes it any more
    const body = requireSubgraph(context, 'body');
    const node = context.node;
    const scanned = node.int('num_scan_inputs', 0);
    const states = node.inputs.length - scanned;
    const axes = node.ints('scan_input_axes', []);
    let length: Dim = null;
    const slices = Array.from({ length: scanned }, (_, i): ValueFacts => {
      const shape = context.shape(states + i);
      const axis = shape && normalizeAxis(context, axes[i] ?? 0, shape.length);
      if (shape) length ??= shape[axis!]!;
      return {
        type: tensorType(
          context.dtype(states + i),
          shape?.filter((_, k) => k !== axis),
        ),
      };
    });
    const outputs = context.inferGraph(body, [
      ...Array.from({ length: states }, (_, i): ValueFacts => ({ type: context.type(i) })),
      ...slices,
    ]);
    const outputAxes = node.ints('scan_output_axes', []);
    outputs.forEach(({ type }, i) => {
      context.setType(
        i,
        i < states ? commonType(context.type(i), type) : stacked(type, length, outputAxes[i - states] ?? 0),
      );
    });
  },
  cost(context) {
    const scanned = context.node.int('num_scan_inputs', 0);
    const first = context.shape(context.node.inputs.length - scanned);
    const axis = context.node.ints('scan_input_axes', [])[0] ?? 0;
    return times(costOfBody(context, 'body'), first.at(axis) ?? 0);
  },
});

export const controlFlow: readonly OpDefinition[] = [ifOp, loop, scan];
