import { describe, expect, it } from 'vitest';
import { fastForm, inPairs } from '../../src/compress/fast-form.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import type { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { cifarResNet, exportForInference } from '../../src/nn/index.js';
import { Random } from '../../src/random/random.js';
import { evaluate } from '../../src/runtime/index.js';
import { smallModel } from './small-model.js';

const random = new Random(2);
const images = {
  pixel_values: Tensor.float32(
    [4, 1, 12, 12],
    Array.from({ length: 576 }, () => random.normal()),
  ),
};

function resnet(): Model {
  const model = exportForInference(
    cifarResNet({ depth: 8, width: 0.5, channels: 1, imageSize: 12, classes: 5 }),
  );
  inferShapes(model);
  return model;
}

const operators = ({ graph }: Model) => new Set([...graph.nodes].map(({ opType }) => opType));

describe('inPairs', () => {
  it('gives a residual network that computes the same without slices', async () => {
    const model = resnet();
    const paired = inPairs(model);
    expect(operators(model)).toContain('Slice');
    expect(operators(paired)).not.toContain('Slice');
    const [expected, found] = [await evaluate(model, images), await evaluate(paired, images)];
    const errors = expected.logits!.toNumbers().map((v, i) => Math.abs(v - found.logits!.toNumbers()[i]!));
    expect(Math.max(...errors)).toBeLessThan(1e-4);
  });

  it('leaves a model as it is where no columns can lie in pairs', () => {
    const model = smallModel();
    inferShapes(model);
    expect(inPairs(model)).toBe(model);
  });
});

describe('fastForm', () => {
  it('is one of the two, the same for every version of a model', async () => {
    const model = resnet();
    const form = await fastForm(model, images, { threads: 1 });
    const written = form(model);
    const paired = inPairs(model);
    expect([model, paired].map(operators)).toContainEqual(operators(written));
    const other = resnet();
    expect(form(other) === other).toBe(written === model);
  });

  it('times nothing where there is no other form', async () => {
    const model = smallModel();
    inferShapes(model);
    // An empty sample could not be run.
    const form = await fastForm(model, {}, { threads: 1 });
    expect(form(model)).toBe(model);
  });
});
