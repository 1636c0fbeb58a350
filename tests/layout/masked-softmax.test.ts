import { describe, expect, it } from 'vitest';
import { typedBuilder } from '../../src/graph/autodiff/index.js';
import { Graph } from '../../src/graph/graph.js';
import { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType } from '../../src/graph/value.js';
import { MASKED } from '../../src/nn/layers/attention.js';
import { Random } from '../../src/random/random.js';
import { evaluate } from '../../src/runtime/index.js';
import { liftMaskedScores } from '../../src/runtime/layout/masked-softmax.js';

const TOKENS = 5;
const DIMS = [2, 3, TOKENS, TOKENS];

/** Causal weights of random scores, at an opset. */
function build(opset: number, masked = true): Model {
  const model = new Model(new Graph());
  model.opsets.set('', opset);
  const scores = model.graph.addInput('scores', tensorType('float32', DIMS));
  const b = typedBuilder(model);
  const mask = Float32Array.from({ length: TOKENS ** 2 }, (_, i) =>
    i % TOKENS > Math.floor(i / TOKENS) ? MASKED : 0,
  );
  const read = masked ? b.add(scores, b.constant(Tensor.float32([TOKENS, TOKENS], mask))) : b.mul(scores, 2);
  model.graph.addOutput(b.op('Softmax', [read]), 'weights');
  return model;
}

async function weightsOf(model: Model): Promise<Float32Array> {
  const random = new Random(3);
  const scores = Float32Array.from({ length: 2 * 3 * TOKENS ** 2 }, () => 30 * random.normal());
  const { weights } = await evaluate(model, { scores: Tensor.float32(DIMS, scores) });
  return weights!.toFloat32();
}

describe('liftMaskedScores', () => {
  it.each([13, 18])('keeps the weights, and none is denormal (opset %i)', async opset => {
    const [expected, model] = [await weightsOf(build(opset)), build(opset)];
    expect(liftMaskedScores(model)).toBe(1);
    const actual = await weightsOf(model);
    actual.forEach((weight, i) => {
      expect(Math.abs(weight - expected[i]!)).toBeLessThan(1e-7);
    });
    expect(Math.min(...actual)).toBeGreaterThan(1e-20);
    expect(Math.min(...expected)).toBeLessThan(1e-37);
  });

  it('leaves alone what has no mask', () => {
    expect(liftMaskedScores(build(17, false))).toBe(0);
  });
});
