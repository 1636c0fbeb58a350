import { expect } from 'vitest';
import {
  type Builder,
  type DType,
  type GradientOptions,
  Graph,
  gradients,
  Model,
  Tensor,
  tensorType,
  typedBuilder,
  type Value,
} from '../../src/graph/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession, type Session } from '../../src/runtime/index.js';
import type { Random } from './random.js';

/** An input that is differentiated: its shape, and where its values lie. */
export interface Variable {
  readonly dims: readonly number[];
  /** Values are drawn from here, away from where the function has no derivative. Default [−1.5, 1.5]. */
  readonly from?: readonly [number, number];
  /** Values given instead. */
  readonly values?: readonly number[];
  /** Hides sizes, or those of some axes, from shape inference, so that the gradient finds them at run time. */
  readonly symbolic?: boolean | readonly number[];
}

export interface Case {
  readonly variables: readonly Variable[];
  /** Builds the function; all of its outputs are summed with random weights into the loss. */
  readonly build: (b: Builder, inputs: Value[]) => Value | readonly Value[];
  readonly opset?: number;
  /**
   * How the derivative is known:
   * - `float64`: central differences of ONNX Runtime's float64 kernels, step 1e-5; gradient in float64 too;
   * - `multilinear`: the function is linear (or piecewise linear, away from the kinks) in each variable, so that
   *   central differences with a large step have no truncation error and float32 kernels will do;
   * - a function: the same in JavaScript's float64, for operators that have float32 kernels only. ONNX Runtime's
   *   result must agree with it before its differences count.
   */
  readonly truth: 'float64' | 'multilinear' | Reference;
  readonly options?: GradientOptions;
}

/** The function of all variables, as flat lists, in float64: the outputs one after the other. */
export type Reference = (...inputs: Float64Array[]) => readonly ArrayLike<number>[];

interface Setup {
  readonly session: Session;
  readonly dtype: DType;
  readonly inputs: readonly Float64Array[];
  /** How the loss weighs the elements of each output. */
  readonly weights: readonly Float64Array[];
  readonly test: Case;
}

/** Compares the gradients of a function with finite differences. */
export async function checkGradients(test: Case, random: Random): Promise<void> {
  const setup = await prepare(test, random);
  try {
    const {
      test: { variables },
      inputs,
      dtype,
    } = setup;
    const found = await setup.session.run(feeds(setup, inputs));
    const grads = variables.map((_, i) => found[`grad${i}`]!);
    variables.forEach(({ dims }, i) => expect(grads[i]!.dims).toEqual(dims));
    if (typeof test.truth === 'function') compareForward(setup, found);
    for (const [i, input] of inputs.entries()) {
      const gradient = grads[i]!.toFloat64();
      for (const direction of directions(input.length, random)) {
        const { slope, scale } = await difference(setup, i, direction);
        const product = dot(gradient, direction);
        const tolerance = (dtype === 'float64' ? 1e-7 : 1e-5) * Math.max(1, scale);
        expect(
          Math.abs(product - slope),
          `input ${i}: gradient ${product}, difference ${slope}`,
        ).toBeLessThan(tolerance);
      }
    }
  } finally {
    await setup.session.release();
  }
}

async function prepare(test: Case, random: Random): Promise<Setup> {
  const dtype: DType = test.truth === 'float64' ? 'float64' : 'float32';
  const model = new Model(new Graph('test'));
  model.opsets = new Map([
    ['', test.opset ?? 21],
    ['com.microsoft', 1],
  ]);
  const b = typedBuilder(model);
  const values = test.variables.map(({ dims, symbolic }, i) =>
    model.graph.addInput(
      `x${i}`,
      tensorType(
        dtype,
        dims.map((size, axis) =>
          (Array.isArray(symbolic) ? symbolic.includes(axis) : symbolic) ? `x${i}_${axis}` : size,
        ),
      ),
    ),
  );
  const built = test.build(b, values);
  const outputs: readonly Value[] = Array.isArray(built) ? built : [built as Value];
  const inputs = test.variables.map(v => draw(v, random));
  const shapes = await shapesOf(model, outputs, inputs, test, dtype);
  const weights = shapes.map(dims => random.normals(dims.reduce((p, d) => p * d, 1)));
  const terms = outputs.map((y, i) => {
    const weight = model.graph.constant(Tensor.fromNumbers(dtype, shapes[i]!, weights[i]!), 'weight');
    return b.op('ReduceSum', [b.mul(y, weight)], { keepdims: 0 });
  });
  const loss = b.total(terms);
  const grads = gradients(model, loss, values, test.options);
  model.graph.addOutput(b.op('Identity', [loss]), 'loss');
  outputs.forEach((y, i) => model.graph.addOutput(b.op('Identity', [y]), `y${i}`));
  // A gradient may be an input or be shared by several.
  grads.forEach((gradient, i) => model.graph.addOutput(b.op('Identity', [gradient]), `grad${i}`));
  const session = await createSession(encodeToBytes(model), { threads: 1 });
  return { session, dtype, inputs, weights, test };
}

/** The shapes of the outputs, from a run. */
async function shapesOf(
  model: Model,
  outputs: readonly Value[],
  inputs: readonly Float64Array[],
  test: Case,
  dtype: DType,
): Promise<number[][]> {
  if (outputs.every(y => y.fixedShape)) return outputs.map(y => [...y.fixedShape!]);
  const b = typedBuilder(model);
  const probes = outputs.map(y => b.op('Identity', [y]));
  for (const probe of probes) model.graph.addOutput(probe);
  const session = await createSession(encodeToBytes(model), { threads: 1 });
  const found = await session.run(
    Object.fromEntries(
      inputs.map((x, i) => [`x${i}`, Tensor.fromNumbers(dtype, test.variables[i]!.dims, x)]),
    ),
  );
  await session.release();
  model.graph.outputs.length = 0;
  const dims = probes.map(probe => [...found[probe.name]!.dims]);
  for (const probe of probes) model.graph.remove(probe.producer!);
  return dims;
}

const draw = ({ dims, from: [low, high] = [-1.5, 1.5], values }: Variable, random: Random): Float64Array =>
  values
    ? Float64Array.from(values)
    : // Rounded to float32, so that both precisions see the same numbers.
      Float64Array.from({ length: dims.reduce((p, d) => p * d, 1) }, () =>
        Math.fround(low + (high - low) * random.uniform()),
      );

const feeds = ({ dtype, test }: Setup, inputs: readonly Float64Array[]): Record<string, Tensor> =>
  Object.fromEntries(inputs.map((x, i) => [`x${i}`, Tensor.fromNumbers(dtype, test.variables[i]!.dims, x)]));

/** One direction for each element where there are few, else random ones: no error is orthogonal to all of them. */
function directions(size: number, random: Random): Float64Array[] {
  if (size === 0) return [];
  if (size > 12) return Array.from({ length: 6 }, () => random.normals(size));
  return Array.from({ length: size }, (_, i) =>
    Float64Array.from({ length: size }, (_, j) => Number(i === j)),
  );
}

/** The slope of the loss along a direction of one input, and the size of the terms that it is made of. */
async function difference(
  setup: Setup,
  index: number,
  direction: Float64Array,
): Promise<{ slope: number; scale: number }> {
  const { inputs, test, weights } = setup;
  const step = test.truth === 'multilinear' ? 0.0625 : 1e-5;
  const moved = (sign: number): Float64Array[] =>
    inputs.map((x, i) => (i === index ? x.map((v, j) => v + sign * step * direction[j]!) : x));
  const outputs = async (at: Float64Array[]): Promise<readonly ArrayLike<number>[]> => {
    if (typeof test.truth === 'function') return test.truth(...at);
    const names = weights.map((_, i) => `y${i}`);
    const found = await setup.session.run(feeds(setup, at), names);
    return names.map(name => found[name]!.toFloat64());
  };
  const [ahead, behind] = [await outputs(moved(1)), await outputs(moved(-1))];
  let slope = 0;
  let scale = 0;
  weights.forEach((weight, i) => {
    weight.forEach((w, j) => {
      slope += (w * (ahead[i]![j]! - behind[i]![j]!)) / (2 * step);
      // Rounding of outputs is divided by the step.
      scale += Math.abs(w * ahead[i]![j]!);
    });
  });
  return { slope, scale: Math.max(scale, Math.abs(slope)) };
}

function compareForward({ inputs, weights, test }: Setup, found: Record<string, Tensor>): void {
  const expected = (test.truth as Reference)(...inputs);
  weights.forEach((_, i) => {
    const y = found[`y${i}`]!.toFloat64();
    expect(y.length).toBe(expected[i]!.length);
    y.forEach((v, j) => expect(Math.abs(v - expected[i]![j]!)).toBeLessThan(2e-5 * (1 + Math.abs(v))));
  });
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
