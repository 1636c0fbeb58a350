import { gradients } from '../../../src/graph/autodiff/index.js';
import { allValues } from '../../../src/graph/rewrite/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import type { Value } from '../../../src/graph/value.js';
import { linear, Network, relu, Scope } from '../../../src/nn/index.js';
import { Random } from '../../../src/random/random.js';
import { createSession } from '../../../src/runtime/index.js';
import type { TrainingMethod } from '../../../src/train/index.js';

export interface OneLayer {
  /** (outputs, inputs) */
  readonly weight: readonly number[];
  /** (2, inputs) */
  readonly input: readonly number[];
  readonly rows: number;
  readonly cols: number;
}

/** Numbers from a seed, for weights and inputs of a test. */
export function layerOf(seed: number, rows = 3, cols = 5): OneLayer {
  const random = new Random(seed);
  const draw = (count: number) =>
    Array.from({ length: count }, () => Math.fround(3 * random.uniform() - 1.5));
  return { rows, cols, weight: draw(rows * cols), input: draw(2 * cols) };
}

/**
 * What a method makes of y = x Wᵀ: the values of the graph by name, and the gradients of Σ r·y for the numbers r.
 * @param signed whether inputs may be negative; else a Relu stands before the layer
 */
export async function inspect(
  { weight, input, rows, cols }: OneLayer,
  method: TrainingMethod,
  {
    wanted,
    wrt = [],
    r = [],
    of,
    signed = true,
  }: {
    wanted: readonly string[];
    wrt?: readonly string[];
    r?: readonly number[];
    /** The value whose gradient begins; default the layer's output. */
    of?: string;
    signed?: boolean;
  },
): Promise<{ values: Record<string, number[]>; gradients: Record<string, number[]> }> {
  const network = new Network({ training: true });
  const scope = new Scope(network);
  const x = network.input('x', 'float32', [2, cols]);
  const read = signed ? x : relu(scope, x);
  network.output('y', linear(scope.at('fc'), read, { inFeatures: cols, outFeatures: rows, bias: false }));
  network.setTensor('fc.weight', Tensor.float32([rows, cols], weight));
  method.prepare!(network);
  const { graph } = network;
  const find = (name: string): Value => [...allValues(graph)].find(value => value.name === name)!;
  const start = find(of ?? 'y');
  const factors = graph.constant(Tensor.float32(start.fixedShape!, r.length ? r : Array(rows * 2).fill(1)));
  const product = graph.op('Mul', [start, factors]);
  product.type = start.type;
  const loss = graph.op('ReduceSum', [product], { keepdims: 0 });
  loss.type = { kind: 'tensor', dtype: 'float32', shape: [] };
  const model = network.toModel();
  const found = gradients(model, loss, wrt.map(find), {
    vjps: method.gradientRules ?? {},
  });
  const outputs = [...wanted.map(find), ...found].map(value => graph.op('Identity', [value]));
  wanted.forEach((name, i) => {
    outputs[i]!.type = find(name).type;
  });
  found.forEach((value, i) => {
    outputs[wanted.length + i]!.type = value.type;
  });
  graph.outputs.push(...outputs);
  graph.sort();
  const session = await createSession(model, { threads: 1 });
  try {
    const results = await session.run({ x: Tensor.float32([2, cols], input) });
    const numbers = outputs.map(({ name }) => [...results[name]!.toFloat32()]);
    return {
      values: Object.fromEntries(wanted.map((name, i) => [name, numbers[i]!])),
      gradients: Object.fromEntries(wrt.map((name, i) => [name, numbers[wanted.length + i]!])),
    };
  } finally {
    await session.release();
  }
}

/** Whether numbers agree to float32. */
export function expectClose(
  expect: (value: number) => { toBeLessThan(limit: number): void },
  found: readonly number[],
  expected: readonly number[],
  tolerance = 2e-6,
): void {
  expect(Math.abs(found.length - expected.length)).toBeLessThan(1);
  const scale = Math.max(1, ...expected.map(Math.abs));
  for (const [i, value] of expected.entries()) {
    expect(Math.abs(found[i]! - value) / scale).toBeLessThan(tolerance);
  }
}
