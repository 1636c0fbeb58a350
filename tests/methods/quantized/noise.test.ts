import { expect, it } from 'vitest';
import { Tensor } from '../../../src/graph/tensor.js';
import { dorefa } from '../../../src/methods/quantized/index.js';
import { linear, Network, Scope } from '../../../src/nn/index.js';
import { type Objective, StepRunner, sgd, trainingStep } from '../../../src/train/index.js';

const COUNT = 4096;
const BITS = 2;
const LEVELS = 2 ** BITS - 1;
/** The first sets the range, ±1; of the others 3·(g/2 + ½) is 1.8, between two levels. */
const GRADIENT = 0.2;
const above = [1, ...Array<number>(COUNT - 1).fill(GRADIENT)];

/** What the quantizer makes of them in each of some steps: with one example, the gradient of the bias. */
async function quantized(seed: number, steps: number): Promise<number[][]> {
  const network = new Network({ training: true });
  const x = network.input('x', 'float32', [1, 1]);
  network.output('y', linear(new Scope(network).at('fc'), x, { inFeatures: 1, outFeatures: COUNT }));
  network.setTensor('fc.bias', Tensor.float32([COUNT], new Float32Array(COUNT)));
  const objective: Objective = {
    build(context) {
      const { b } = context;
      const product = b.mul(context.output('y'), b.constant(Tensor.float32([1, COUNT], above), 'above'));
      return { loss: b.op('ReduceSum', [product], { keepdims: 0 }) };
    },
  };
  const methods = [dorefa({ bits: 1, inputBits: 32, gradientBits: BITS, layers: 'all' })];
  const step = trainingStep(network, { objective, optimizer: sgd(), weightDecay: false, methods });
  const runner = await StepRunner.create(step, { threads: 1, seed });
  const found: number[][] = [];
  let before = new Float32Array(COUNT);
  for (let i = 0; i < steps; i++) {
    await runner.run({ x: Tensor.float32([1, 1], [1]) }, { learningRate: 1 });
    const after = runner.states.read('fc.bias').toFloat32();
    found.push(Array.from(after, (value, c) => before[c]! - value));
    before = after.slice();
  }
  await runner.release();
  return found;
}

// f(g) = 2 max|g| (quantize_k(g / 2 max|g| + ½ + N(k)) − ½) with N(k) = σ / (2ᵏ − 1), σ uniform in ±½: equation 12.
it('DoReFa adds noise to gradients: each falls on a level beside it, by chance, and is right on average', async () => {
  const [first, second] = (await quantized(1, 2)) as [number[], number[]];
  const [low, high] = [1, 2].map(level => 2 * (level / LEVELS - 0.5)) as [number, number];
  for (const step of [first, second]) {
    expect(step[0]).toBeCloseTo(1, 5);
    const others = step.slice(1);
    const up = others.filter(g => Math.abs(g - high) < 1e-5).length;
    expect(others.filter(g => Math.abs(g - low) < 1e-5)).toHaveLength(others.length - up);
    // 1.8 + σ rounds to 2 where σ > −0.3. Four deviations of a binomial of 4095 are 0.025.
    expect(Math.abs(up / others.length - 0.8)).toBeLessThan(0.025);
    expect(Math.abs(others.reduce((sum, g) => sum + g, 0) / others.length - GRADIENT)).toBeLessThan(0.02);
  }
  // Of the chances that two steps, or two seeds, have the same outcome 0.8² + 0.2² = 0.68 are by accident.
  const same = (a: readonly number[], b: readonly number[]) =>
    a.filter((g, i) => Math.abs(g - b[i]!) < 1e-5).length / a.length;
  expect(Math.abs(same(first, second) - 0.68)).toBeLessThan(0.03);
  const [again] = await quantized(1, 1);
  expect(again).toEqual(first);
  const [other] = await quantized(2, 1);
  expect(Math.abs(same(first, other!) - 0.68)).toBeLessThan(0.03);
});
