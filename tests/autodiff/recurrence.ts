/** LSTM, GRU and RNN as ONNX defines them, in float64, straight from the formulas. */

export interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly features: number;
  readonly hidden: number;
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
  readonly linearBeforeReset?: boolean;
}

type Optional = Float64Array | undefined;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Row `row` of the weights times a vector. */
function product(weights: Float64Array, row: number, vector: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += weights[row * vector.length + i]! * vector[i]!;
  return sum;
}

const part = (x: Float64Array, index: number, count: number): Float64Array =>
  x.subarray((index * x.length) / count, ((index + 1) * x.length) / count);

/** Outputs Y, Y_h and Y_c of an LSTM, gates in the order input, output, forget, cell. */
export function lstm(
  sizes: Sizes,
  x: Float64Array,
  w: Float64Array,
  r: Float64Array,
  bias?: Optional,
  h0?: Optional,
  c0?: Optional,
  p?: Optional,
): number[][] {
  const { hidden } = sizes;
  return overTime(sizes, x, 2, [h0, c0], (d, dirs, input, [h, c]) => {
    const [W, R] = [part(w, d, dirs), part(r, d, dirs)];
    const B = bias && part(bias, d, dirs);
    const P = p && part(p, d, dirs);
    const gate = (g: number, j: number): number =>
      product(W, g * hidden + j, input) +
      product(R, g * hidden + j, h!) +
      (B ? B[g * hidden + j]! + B[(4 + g) * hidden + j]! : 0);
    const peep = (g: number, j: number, memory: number): number => (P ? P[g * hidden + j]! * memory : 0);
    const memory = h!.map((_, j) => {
      const entered = sigmoid(gate(0, j) + peep(0, j, c![j]!)) * Math.tanh(gate(3, j));
      return sigmoid(gate(2, j) + peep(2, j, c![j]!)) * c![j]! + entered;
    });
    return [memory.map((m, j) => sigmoid(gate(1, j) + peep(1, j, m)) * Math.tanh(m)), memory];
  });
}

/** Outputs Y and Y_h of a GRU, gates in the order update, reset, candidate. */
export function gru(
  sizes: Sizes,
  x: Float64Array,
  w: Float64Array,
  r: Float64Array,
  bias?: Optional,
  h0?: Optional,
): number[][] {
  const { hidden, linearBeforeReset } = sizes;
  return overTime(sizes, x, 1, [h0], (d, dirs, input, [h]) => {
    const [W, R] = [part(w, d, dirs), part(r, d, dirs)];
    const B = bias && part(bias, d, dirs);
    const own = (g: number, j: number): number =>
      product(W, g * hidden + j, input) + (B ? B[g * hidden + j]! : 0);
    const back = (g: number, j: number, v: number[]): number =>
      product(R, g * hidden + j, v) + (B ? B[(3 + g) * hidden + j]! : 0);
    const reset = h!.map((_, j) => sigmoid(own(1, j) + back(1, j, h!)));
    const resetH = h!.map((v, j) => v * reset[j]!);
    return [
      h!.map((v, j) => {
        const update = sigmoid(own(0, j) + back(0, j, h!));
        const memory = linearBeforeReset ? reset[j]! * back(2, j, h!) : back(2, j, resetH);
        return (1 - update) * Math.tanh(own(2, j) + memory) + update * v;
      }),
    ];
  });
}

/** Outputs Y and Y_h of a simple recurrent network with tanh. */
export function rnn(
  sizes: Sizes,
  x: Float64Array,
  w: Float64Array,
  r: Float64Array,
  bias?: Optional,
  h0?: Optional,
): number[][] {
  const { hidden } = sizes;
  return overTime(sizes, x, 1, [h0], (d, dirs, input, [h]) => {
    const [W, R] = [part(w, d, dirs), part(r, d, dirs)];
    const B = bias && part(bias, d, dirs);
    const total = (j: number): number =>
      product(W, j, input) + product(R, j, h!) + (B ? B[j]! + B[hidden + j]! : 0);
    return [h!.map((_, j) => Math.tanh(total(j)))];
  });
}

type Step = (direction: number, directions: number, input: Float64Array, states: number[][]) => number[][];

function overTime(sizes: Sizes, x: Float64Array, count: number, initial: Optional[], step: Step): number[][] {
  const { steps, batch, features, hidden, direction } = sizes;
  const dirs = direction === 'bidirectional' ? 2 : 1;
  const all = new Array<number>(steps * dirs * batch * hidden);
  const last = Array.from({ length: count }, () => new Array<number>(dirs * batch * hidden));
  for (let d = 0; d < dirs; d++) {
    for (let n = 0; n < batch; n++) {
      const at = (d * batch + n) * hidden;
      let states = Array.from({ length: count }, (_, s) =>
        initial[s] ? [...initial[s].slice(at, at + hidden)] : new Array<number>(hidden).fill(0),
      );
      for (let i = 0; i < steps; i++) {
        const t = direction === 'reverse' || d === 1 ? steps - 1 - i : i;
        const from = (t * batch + n) * features;
        states = step(d, dirs, x.subarray(from, from + features), states);
        states[0]!.forEach((v, j) => {
          all[((t * dirs + d) * batch + n) * hidden + j] = v;
        });
      }
      states.forEach((state, s) => {
        state.forEach((v, j) => {
          last[s]![at + j] = v;
        });
      });
    }
  }
  return [all, ...last];
}
