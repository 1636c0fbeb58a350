import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../src/graph/tensor.js';
import {
  abcNet,
  basisShifts,
  dorefa,
  learnedSteps,
  quantizationAware,
  xnor,
} from '../../../src/methods/quantized/index.js';
import { linear, Network, Scope } from '../../../src/nn/index.js';
import { regression, StepRunner, sgd, trainingStep } from '../../../src/train/index.js';
import { expectClose, inspect, layerOf } from './one-layer.js';

const WEIGHT = 'fc.weight/quantized';
const INPUT = 'fc/input/quantized';
const SEEDS = [1, 2, 3];
const all = /fc/;

/** To nearest, halves to even, by another way than the library's: the two neighbours compared. */
function round(x: number): number {
  const below = Math.floor(x);
  const distance = x - below;
  if (distance === 0.5) return below % 2 === 0 ? below : below + 1;
  return distance < 0.5 ? below : below + 1;
}

const rowsOf = <T>(values: readonly T[], cols: number): T[][] =>
  Array.from({ length: values.length / cols }, (_, r) => values.slice(r * cols, (r + 1) * cols));
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const sign = (x: number): number => (x >= 0 ? 1 : -1);
const inside = (x: number, low: number, high: number): number => Number(x >= low && x <= high);

/** Cramer's rule for three unknowns. */
function cramer(a: readonly (readonly number[])[], right: readonly number[]): number[] {
  const determinant = ([p, q, t]: readonly (readonly number[])[]): number =>
    p![0]! * (q![1]! * t![2]! - q![2]! * t![1]!) -
    p![1]! * (q![0]! * t![2]! - q![2]! * t![0]!) +
    p![2]! * (q![0]! * t![1]! - q![1]! * t![0]!);
  return right.map(
    (_, k) => determinant(a.map((row, i) => row.map((v, j) => (j === k ? right[i]! : v)))) / determinant(a),
  );
}

describe.each(SEEDS)('with weights and inputs of seed %i', seed => {
  const layer = layerOf(seed);
  const { weight, input, cols, rows } = layer;
  /** Gradients that come from above: of the weight, and of the input. */
  const r = layerOf(seed + 100).weight;
  const s = layerOf(seed + 200).input;

  it('QAT: w = round(w/s)·s with s = max |w| / 7 of each row; gradients pass', async () => {
    const method = quantizationAware({ bits: 4, inputBits: 0, layers: all });
    const { values, gradients } = await inspect(layer, method, {
      wanted: [WEIGHT],
      wrt: ['fc.weight'],
      of: WEIGHT,
      r,
    });
    const expected = rowsOf(weight, cols).flatMap(row => {
      const scale = Math.max(...row.map(Math.abs)) / 7;
      return row.map(w => round(w / scale) * scale);
    });
    expectClose(expect, values[WEIGHT]!, expected);
    expectClose(expect, gradients['fc.weight']!, r);
  });

  it('LSQ: values, the gradient of v, and that of the step', async () => {
    const bits = 3;
    const method = learnedSteps({ bits, inputBits: 4, layers: all });
    const { values, gradients } = await inspect(layer, method, {
      wanted: [WEIGHT, 'fc.weight_step'],
      wrt: ['fc.weight', 'fc.weight_step'],
      of: WEIGHT,
      r,
    });
    const [low, high] = [-4, 3];
    const step = (2 * mean(weight.map(Math.abs))) / Math.sqrt(high);
    expectClose(expect, values['fc.weight_step']!, [step]);
    const u = weight.map(v => v / step);
    expectClose(
      expect,
      values[WEIGHT]!,
      u.map(v => round(Math.min(high, Math.max(low, v))) * step),
    );
    expectClose(
      expect,
      gradients['fc.weight']!,
      r.map((g, i) => g * inside(u[i]!, low, high)),
    );
    const ofStep = u.map(v => (v <= low ? low : v >= high ? high : round(v) - v));
    const expected = r.reduce((sum, g, i) => sum + g * ofStep[i]!, 0) / Math.sqrt(weight.length * high);
    expectClose(expect, gradients['fc.weight_step']!, [expected]);
  });

  it.each([true, false])('LSQ: inputs, signed: %s', async signed => {
    const method = learnedSteps({ bits: 3, inputBits: 2, layers: all });
    const { values, gradients } = await inspect(layer, method, {
      wanted: [INPUT],
      wrt: ['fc.input_step'],
      of: INPUT,
      r: s,
      signed,
    });
    const [low, high] = signed ? [-2, 1] : [0, 3];
    const x = signed ? input : input.map(v => Math.max(0, v));
    // The step is 1 until a training has looked at inputs.
    expectClose(
      expect,
      values[INPUT]!,
      x.map(v => round(Math.min(high, Math.max(low, v)))),
    );
    const ofStep = x.map(v => (v <= low ? low : v >= high ? high : round(v) - v));
    const expected = s.reduce((sum, g, i) => sum + g * ofStep[i]!, 0) / Math.sqrt(cols * high);
    expectClose(expect, gradients['fc.input_step']!, [expected]);
  });

  it('DoReFa: one bit is sign(w)·E|w| with the gradient of w', async () => {
    const method = dorefa({ bits: 1, inputBits: 32, gradientBits: 32, layers: all });
    const { values, gradients } = await inspect(layer, method, {
      wanted: [WEIGHT],
      wrt: ['fc.weight'],
      of: WEIGHT,
      r,
    });
    const size = mean(weight.map(Math.abs));
    expectClose(
      expect,
      values[WEIGHT]!,
      weight.map(w => sign(w) * size),
    );
    expectClose(expect, gradients['fc.weight']!, r);
  });

  it.each([2, 3, 8])('DoReFa: %i bits', async bits => {
    const n = 2 ** bits - 1;
    const method = dorefa({ bits, inputBits: bits, gradientBits: 32, layers: all });
    const { values, gradients } = await inspect(layer, method, {
      wanted: [WEIGHT, INPUT],
      wrt: ['fc.weight'],
      of: WEIGHT,
      r,
    });
    const t = weight.map(Math.tanh);
    const most = Math.max(...t.map(Math.abs));
    const quantize = (v: number): number => round(v * n) / n;
    expectClose(
      expect,
      values[WEIGHT]!,
      t.map(v => 2 * quantize(v / (2 * most) + 0.5) - 1),
    );
    expectClose(
      expect,
      values[INPUT]!,
      input.map(v => quantize(Math.min(1, Math.max(0, v)))),
    );
    expectClose(
      expect,
      gradients['fc.weight']!,
      r.map((g, i) => (g * (1 - t[i]! ** 2)) / most),
    );
  });

  it('DoReFa: gradients on 2ᵏ levels of each example', async () => {
    const bits = 3;
    const n = 2 ** bits - 1;
    const method = dorefa({ bits: 1, inputBits: 32, gradientBits: bits, layers: all });
    const above = layerOf(seed + 300, 2, rows).weight; // (2, rows)
    const { gradients } = await inspect(layer, method, { wanted: [], wrt: ['x'], r: above });
    const size = mean(weight.map(Math.abs));
    const quantized = rowsOf(above, rows).map(row => {
      const most = Math.max(...row.map(Math.abs));
      return row.map(g => 2 * most * (round((g / (2 * most) + 0.5) * n) / n - 0.5));
    });
    const signs = rowsOf(weight, cols);
    const expected = quantized.flatMap(row =>
      Array.from({ length: cols }, (_, c) =>
        row.reduce((sum, g, o) => sum + g * sign(signs[o]![c]!) * size, 0),
      ),
    );
    expectClose(expect, gradients.x!, expected);
  });

  it('XNOR-Net: (sign(I) sign(W)ᵀ) ⊙ K α, and its gradient', async () => {
    const method = xnor({ layers: all });
    const { values } = await inspect(layer, method, { wanted: ['y'] });
    const w = rowsOf(weight, cols);
    const alpha = w.map(row => mean(row.map(Math.abs)));
    const expected = rowsOf(input, cols).flatMap(x => {
      const k = mean(x.map(Math.abs));
      return w.map((row, o) => row.reduce((sum, v, c) => sum + sign(v) * sign(x[c]!), 0) * k * alpha[o]!);
    });
    expectClose(expect, values.y!, expected);
    const { gradients } = await inspect(layer, xnor({ layers: all }), {
      wanted: [],
      wrt: ['fc.weight'],
      of: WEIGHT,
      r,
    });
    expectClose(
      expect,
      gradients['fc.weight']!,
      r.map((g, i) => g * (1 / cols + alpha[Math.floor(i / cols)]! * inside(weight[i]!, -1, 1))),
    );
  });

  it('ABC-Net: bases, their sizes by least squares, and the gradients', async () => {
    const method = abcNet({ weightBases: 3, inputBases: 2, layers: all });
    const { values, gradients } = await inspect(layer, method, {
      wanted: [WEIGHT],
      wrt: ['fc.weight'],
      of: WEIGHT,
      r,
    });
    const centre = mean(weight);
    const deviation = Math.sqrt(mean(weight.map(w => (w - centre) ** 2)));
    const bases = basisShifts(3, 1).map(u => weight.map(w => sign(w - centre + u * deviation)));
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
    const alpha = cramer(
      bases.map(a => bases.map(b => dot(a, b))),
      bases.map(a => dot(a, weight)),
    );
    // The ridge that keeps equal bases apart moves the sizes by about 1e-5 of them.
    expectClose(
      expect,
      values[WEIGHT]!,
      weight.map((_, i) => alpha.reduce((sum, size, m) => sum + size * bases[m]![i]!, 0)),
      1e-3,
    );
    const total = alpha.reduce((a, b) => a + b, 0);
    expectClose(
      expect,
      gradients['fc.weight']!,
      r.map(g => g * total),
      1e-3,
    );
    const seen = await inspect(layer, abcNet({ weightBases: 1, inputBases: 2, layers: all }), {
      wanted: [INPUT],
      wrt: ['x', 'fc.input_shift.0', 'fc.input_size.1'],
      of: INPUT,
      r: s,
    });
    const shifts = [0.5 - 1 / 3, 0.5 - 2 / 3];
    const h = shifts.map(v => input.map(x => Math.min(1, Math.max(0, x + v))));
    const binary = h.map(row => row.map(v => (v >= 0.5 ? 1 : -1)));
    expectClose(
      expect,
      seen.values[INPUT]!,
      input.map((_, i) => (binary[0]![i]! + binary[1]![i]!) / 2),
    );
    const passes = shifts.map(v => input.map(x => inside(x + v, 0, 1)));
    expectClose(
      expect,
      seen.gradients.x!,
      s.map((g, i) => (g * (passes[0]![i]! + passes[1]![i]!)) / 2),
    );
    expectClose(expect, seen.gradients['fc.input_shift.0']!, [
      s.reduce((sum, g, i) => sum + (g * passes[0]![i]!) / 2, 0),
    ]);
    expectClose(expect, seen.gradients['fc.input_size.1']!, [
      s.reduce((sum, g, i) => sum + g * binary[1]![i]!, 0),
    ]);
  });
});

it('LSQ counts the values of an example whether tokens have a number or a name', async () => {
  const steps: number[] = [];
  for (const tokens of [4, 'tokens'] as const) {
    const network = new Network({ training: true, seed: 2 });
    const x = network.input('x', 'float32', ['batch', tokens, 3]);
    network.output('y', linear(new Scope(network).at('fc'), x, { inFeatures: 3, outFeatures: 2 }));
    const step = trainingStep(network, {
      objective: regression({ output: 'y' }),
      optimizer: sgd(),
      methods: [learnedSteps({ layers: 'all' })],
      sizes: tokens === 4 ? { batch: 2 } : { batch: 2, tokens: 4 },
    });
    const runner = await StepRunner.create(step, { threads: 1 });
    const draw = (dims: number[]) =>
      Tensor.float32(
        dims,
        Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(5 * i)),
      );
    await runner.run({ x: draw([2, 4, 3]), targets: draw([2, 4, 2]) }, { learningRate: 10 });
    steps.push(runner.states.read('fc.input_step').toFloat32()[0]!);
    await runner.release();
  }
  expect(steps[0]).not.toBe(1);
  expect(steps[1]).toBeCloseTo(steps[0]!, 6);
});
