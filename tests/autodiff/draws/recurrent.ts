import { gru, lstm, rnn, type Sizes } from '../recurrence.js';
import { count, type Draw, type Draws, few, half, integers } from './draw.js';

const GATES = { LSTM: 4, GRU: 3, RNN: 1 };
const FORMULAS = { LSTM: lstm, GRU: gru, RNN: rnn };

const recurrent =
  (op: keyof typeof GATES): Draw =>
  random => {
    const [steps, features, hidden] = random.shape(3, 3) as [number, number, number];
    // At no sequences ONNX Runtime's LSTM and GRU end the process.
    const batch = op === 'RNN' ? few(random, 3) : random.integer(1, 3);
    const direction = random.pick(['forward', 'reverse', 'bidirectional'] as const);
    const linearBeforeReset = op === 'GRU' && half(random);
    const sizes: Sizes = { steps, batch, features, hidden, direction, linearBeforeReset };
    const dirs = direction === 'bidirectional' ? 2 : 1;
    const gates = GATES[op];
    const states = op === 'LSTM' ? 2 : 1;
    return {
      variables: [
        { dims: [steps, batch, features], symbolic: half(random) && [1] },
        { dims: [dirs, gates * hidden, features] },
        { dims: [dirs, gates * hidden, hidden] },
        { dims: [dirs, 2 * gates * hidden] },
        ...integers(random, states, 0, 0).map(() => ({ dims: [dirs, batch, hidden] })),
      ],
      build: (b, [x, w, r, bias, ...initial]) => {
        const attributes = {
          hidden_size: hidden,
          direction,
          ...(linearBeforeReset && { linear_before_reset: 1 }),
          ...(op === 'RNN' && { activations: Array<string>(dirs).fill('Tanh') }),
        };
        return b.node(op, [x!, w!, r!, bias!, null, ...initial], attributes, 1 + states).outputs.map(o => o!);
      },
      truth: (x, w, r, ...rest) => FORMULAS[op](sizes, x, w, r, ...rest),
    };
  };

const logSoftmax = (row: readonly number[]): number[] => {
  const total = Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0));
  return row.map(v => v - total);
};

/** Scores (batch, classes, length), labels with some ignored, perhaps weights. */
const labelLoss =
  (op: 'NegativeLogLikelihoodLoss' | 'SoftmaxCrossEntropyLoss'): Draw =>
  random => {
    const [classes, length] = random.shape(2, 3) as [number, number];
    const reduction = random.pick(['none', 'sum', 'mean']);
    // A mean of nothing is not a number; ONNX Runtime's cross entropy takes no batch of size 0.
    const full = reduction === 'mean' || op === 'SoftmaxCrossEntropyLoss';
    const batch = full ? random.integer(1, 3) : few(random, 3);
    const dims = half(random) ? [batch, classes] : [batch, classes, length];
    const places = count(dims.slice(2));
    const labels = integers(random, batch * places, 0, classes - 1);
    // The first label always counts: a mean of nothing is not a number.
    const ignored = labels.length > 1 && classes > 1 && half(random) ? (labels[0]! + 1) % classes : undefined;
    const weights = half(random) ? Array.from({ length: classes }, (_, i) => 0.5 + i) : undefined;
    return {
      variables: [{ dims, symbolic: half(random) }],
      build: (b, [x]) => {
        const target = b.reshape(b.ints(labels), [batch, ...dims.slice(2)]);
        const weight =
          weights && b.cast(b.div(b.cast(b.ints(weights.map(w => 2 * w)), 'float32'), 2), 'float32');
        return b.op(op, [x!, target, ...(weight ? [weight] : [])], {
          reduction,
          ...(ignored !== undefined && { ignore_index: ignored }),
        });
      },
      truth: x => {
        const counted = labels.map(label => (label === ignored ? 0 : (weights?.[label] ?? 1)));
        const losses = labels.map((label, i) => {
          const [n, place] = [Math.floor(i / places), i % places];
          const row = Array.from({ length: classes }, (_, c) => x[(n * classes + c) * places + place]!);
          const scores = op === 'SoftmaxCrossEntropyLoss' ? logSoftmax(row) : row;
          return counted[i] === 0 ? 0 : -scores[label]! * counted[i]!;
        });
        const sum = (list: readonly number[]): number => list.reduce((a, v) => a + v, 0);
        if (reduction === 'none') return [losses];
        return [[reduction === 'sum' ? sum(losses) : sum(losses) / sum(counted)]];
      },
    };
  };

export const SEQUENCES: Draws = {
  LSTM: recurrent('LSTM'),
  GRU: recurrent('GRU'),
  RNN: recurrent('RNN'),
  NegativeLogLikelihoodLoss: labelLoss('NegativeLogLikelihoodLoss'),
  SoftmaxCrossEntropyLoss: labelLoss('SoftmaxCrossEntropyLoss'),
};
