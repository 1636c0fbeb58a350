import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import { byExpansion, type Gradients, type Vjp, type VjpContext } from './vjp.js';

/** State of a cell: hidden, and for an LSTM the cell's memory. */
interface State {
  readonly h: Value;
  readonly c?: Value;
}

/** One step: from the inputs' share of the gates (batch, gates·hidden) and the state to the next state. */
type Cell = (gates: Value, state: State) => State;

/** The parts of one direction: recurrent weights, its bias, and what an LSTM adds from its memory. */
interface Direction {
  readonly recurrent: Value; // (gates·hidden, hidden)
  readonly recurrentBias: Value | undefined; // (gates·hidden)
  readonly peepholes: readonly Value[] | undefined; // input, output, forget: (hidden)
  readonly activations: readonly ((x: Value) => Value)[];
}

interface Architecture {
  readonly gates: number;
  readonly defaults: readonly string[];
  /** Whether the recurrent bias is added together with the other. */
  readonly mergesBias: (context: VjpContext) => boolean;
  readonly cell: (context: VjpContext, direction: Direction) => Cell;
}

const split = (b: Builder, x: Value, count: number, size: number): Value[] =>
  b
    .node('Split', [x, b.ints(new Array<number>(count).fill(size))], { axis: -1 }, count)
    .outputs.map(output => output!);

const times = (b: Builder, h: Value, weights: Value): Value => b.gemm(h, weights, { transB: true });

/** Hochreiter and Schmidhuber, 1997, with the gates in ONNX's order: input, output, forget, cell. */
const lstm: Architecture = {
  gates: 4,
  defaults: ['Sigmoid', 'Tanh', 'Tanh'],
  mergesBias: () => true,
  cell:
    ({ build: b, node }, { recurrent, peepholes, activations: [f, g, last] }) =>
    (input, { h, c }) => {
      const size = hiddenSize(node);
      const [i, o, keep, next] = split(b, b.add(input, times(b, h, recurrent)), 4, size) as [
        Value,
        Value,
        Value,
        Value,
      ];
      const seen = (gate: Value, memory: Value, index: number): Value =>
        peepholes ? b.add(gate, b.mul(memory, peepholes[index]!)) : gate;
      const entered = f!(seen(i, c!, 0));
      const kept = node.int('input_forget', 0) !== 0 ? b.sub(1, entered) : f!(seen(keep, c!, 2));
      const memory = b.add(b.mul(kept, c!), b.mul(entered, g!(next)));
      return { h: b.mul(f!(seen(o, memory, 1)), last!(memory)), c: memory };
    },
};

/** Cho et al., 2014: update and reset gates and the candidate. */
const gru: Architecture = {
  gates: 3,
  defaults: ['Sigmoid', 'Tanh'],
  mergesBias: ({ node }) => node.int('linear_before_reset', 0) === 0,
  cell:
    ({ build: b, node }, { recurrent, recurrentBias, activations: [f, g] }) =>
    (input, { h }) => {
      const size = hiddenSize(node);
      const [z, r, candidate] = split(b, input, 3, size) as [Value, Value, Value];
      const [wz, wr, wh] = [0, 1, 2].map(i => b.slice(recurrent, [i * size], [(i + 1) * size], [0])) as [
        Value,
        Value,
        Value,
      ];
      const part = (i: number): Value => b.slice(recurrentBias!, [i * size], [(i + 1) * size], [0]);
      const after = node.int('linear_before_reset', 0) !== 0;
      const biased = (x: Value, i: number): Value => (after && recurrentBias ? b.add(x, part(i)) : x);
      const update = f!(biased(b.add(z, times(b, h, wz)), 0));
      const reset = f!(biased(b.add(r, times(b, h, wr)), 1));
      const memory = after ? b.mul(reset, biased(times(b, h, wh), 2)) : times(b, b.mul(reset, h), wh);
      const proposed = g!(b.add(candidate, memory));
      return { h: b.add(b.mul(b.sub(1, update), proposed), b.mul(update, h)) };
    },
};

const rnn: Architecture = {
  gates: 1,
  defaults: ['Tanh'],
  mergesBias: () => true,
  cell:
    ({ build: b }, { recurrent, activations: [f] }) =>
    (input, { h }) => ({ h: f!(b.add(input, times(b, h, recurrent))) }),
};

const ACTIVATIONS = new Set(['Sigmoid', 'Tanh', 'Relu', 'Softsign', 'Softplus']);

const hiddenSize = (node: VjpContext['node']): number => node.int('hidden_size', 0);

/** Writes the loop over time out, step by step. */
function unrolled(context: VjpContext, architecture: Architecture): Value[] {
  const { build: b, node, has, input, shape, fail } = context;
  const batchFirst = node.int('layout', 0) !== 0;
  const steps = shape(0)[batchFirst ? 1 : 0];
  if (typeof steps !== 'number')
    fail('the number of its steps is not known', 'Fix the length of the sequence');
  if (has(4)) fail('lengths of single sequences are not supported', 'Mask the loss instead');
  if (node.float('clip') !== undefined) fail('clipping is not supported');
  const kind = node.string('direction', 'forward');
  const directions = kind === 'bidirectional' ? 2 : 1;
  const named = stringsOf(context, 'activations');
  // (steps, batch, …)
  const x = batchFirst ? b.transpose(input(0), [1, 0, 2]) : input(0);
  const size = hiddenSize(node);
  const ends = Array.from({ length: directions }, (_, d) => {
    const own = (value: Value): Value => b.op('Gather', [value, b.scalar(d, 'int64')]);
    const names = named?.slice(d * architecture.defaults.length, (d + 1) * architecture.defaults.length);
    const activations = (names ?? architecture.defaults).map(name => {
      if (!ACTIVATIONS.has(name)) fail(`the activation ${name} is not supported`);
      return (v: Value): Value => b.op(name, [v]);
    });
    const [bias, recurrentBias] = has(3) ? split(b, own(input(3)), 2, architecture.gates * size) : [];
    const peepholes = has(7) && architecture === lstm ? split(b, own(input(7)), 3, size) : undefined;
    const merged = bias && architecture.mergesBias(context) ? b.add(bias, recurrentBias!) : bias;
    const products = b.matmul(x, b.transpose(own(input(1)), [1, 0])); // (steps, batch, gates·hidden)
    const inputs = split0(b, merged ? b.add(products, merged) : products, steps as number);
    const cell = architecture.cell(context, {
      recurrent: own(input(2)),
      recurrentBias,
      peepholes,
      activations,
    });
    return walk(context, inputs, own, cell, kind === 'reverse' || d === 1, architecture === lstm);
  });
  const sequence = b.op(
    'Concat',
    ends.map(e => b.unsqueeze(e.all, [1])),
    { axis: 1 },
  ); // (steps, dirs, batch, hidden)
  const last = (pick: (state: State) => Value): Value =>
    b.transpose(
      b.op(
        'Concat',
        ends.map(e => b.unsqueeze(pick(e.state), [0])),
        { axis: 0 },
      ),
      batchFirst ? [1, 0, 2] : [0, 1, 2],
    );
  return [
    batchFirst ? b.transpose(sequence, [2, 0, 1, 3]) : sequence,
    last(state => state.h),
    ...(architecture === lstm ? [last(state => state.c!)] : []),
  ];
}

/** The steps of (steps, batch, n), each (batch, n). */
function split0(b: Builder, x: Value, steps: number): Value[] {
  if (steps === 1) return [b.squeeze(x, [0])];
  const node = b.node('Split', [x, b.ints(new Array<number>(steps).fill(1))], { axis: 0 }, steps);
  return node.outputs.map(output => b.squeeze(output!, [0]));
}

function walk(
  { build: b, node, has, input }: VjpContext,
  inputs: readonly Value[],
  own: (value: Value) => Value,
  cell: Cell,
  backwards: boolean,
  hasMemory: boolean,
): { all: Value; state: State } {
  const batchFirst = node.int('layout', 0) !== 0;
  const first = inputs[0]!;
  const zeros = (): Value => b.fill(b.shapeFrom([b.sizesOf(first)[0]!, hiddenSize(node)]), 0, first);
  const initial = (index: number): Value =>
    has(index) ? own(batchFirst ? b.transpose(input(index), [1, 0, 2]) : input(index)) : zeros();
  let state: State = hasMemory ? { h: initial(5), c: initial(6) } : { h: initial(5) };
  const outputs = new Array<Value>(inputs.length);
  for (let i = 0; i < inputs.length; i++) {
    const t = backwards ? inputs.length - 1 - i : i;
    state = cell(inputs[t]!, state);
    outputs[t] = b.unsqueeze(state.h, [0]);
  }
  return { all: b.concat(outputs, 0), state };
}

function stringsOf({ node }: VjpContext, name: string): string[] | undefined {
  const attribute = node.attributes.get(name);
  if (attribute?.type !== 'strings') return undefined;
  return attribute.value.map(bytes => new TextDecoder().decode(bytes));
}

function recurrent(architecture: Architecture): Vjp {
  const written = byExpansion(context => unrolled(context, architecture));
  return context => {
    const { build: b, inputs, shape } = context;
    // ONNX Runtime fuses the products of no sequences wrongly.
    if (!shape(0).includes(0)) return written(context);
    return inputs.map(input => input && b.zerosLike(input));
  };
}

export const recurrentGradients: Gradients = {
  LSTM: recurrent(lstm),
  GRU: recurrent(gru),
  RNN: recurrent(rnn),
};
