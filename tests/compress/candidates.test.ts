import { describe, expect, it } from 'vitest';
import { observe } from '../../src/calibrate/observe.js';
import { findSites, type Site } from '../../src/calibrate/sites.js';
import { Layer } from '../../src/compress/layer.js';
import { fromMatrix } from '../../src/compress/matrix.js';
import type { Candidate, Method } from '../../src/compress/method.js';
import { METHODS } from '../../src/compress/methods/index.js';
import { writeChoices } from '../../src/compress/write.js';
import { cloneModel } from '../../src/graph/clone.js';
import { type Model, Tensor, type Value } from '../../src/graph/index.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import { createSession, type Tensors } from '../../src/runtime/index.js';
import { LAYER_NAMES, oneLayer } from './one-layer.js';

const ALL = [...new Set<Method>(Object.values(METHODS).flat())];

async function proposals(model: Model, samples: readonly Tensors[]) {
  inferShapes(model);
  const proposed: { site: Site; candidate: Candidate }[] = [];
  for await (const group of observe(model, findSites(model), samples, { threads: 1 })) {
    for (const [site, observation] of group) {
      const layer = new Layer(site, observation);
      // Others see older models raised to what they need.
      for (const method of ALL.filter(({ opset = 0 }) => opset <= model.opset)) {
        for (const candidate of method.propose(layer)) proposed.push({ site, candidate });
      }
    }
  }
  return proposed;
}

/** The model with the weight itself exchanged. */
function withWeight(model: Model, { value, tensor, layout }: Site, weight: Float32Array): Model {
  const values = new Map<Value, Value>();
  const copy = cloneModel(model, values);
  const data = fromMatrix(weight, tensor.dims, layout);
  values.get(value)!.initializer = Tensor.fromNumbers(tensor.dtype, tensor.dims, data);
  return copy;
}

async function run(model: Model, samples: readonly Tensors[]): Promise<Float32Array[]> {
  const session = await createSession(model, { threads: 1 });
  const results: Float32Array[] = [];
  for (const sample of samples) {
    for (const output of Object.values(await session.run(sample))) results.push(output.toFloat32());
  }
  await session.release();
  return results;
}

async function expectWrittenAsPromised(model: Model, samples: readonly Tensors[], tolerance: number) {
  const proposed = await proposals(model, samples);
  expect(proposed.length).toBeGreaterThan(7);
  for (const { site, candidate } of proposed) {
    const what = `${candidate.method} ${candidate.label} ${candidate.rank ?? ''}`;
    const choice = new Map([[site, { candidate, bytes: 0, error: 0 }]]);
    const written = await run(writeChoices(model, choice), samples);
    const promised = await run(withWeight(model, site, candidate.weight()), samples);
    for (const [i, expected] of promised.entries()) {
      const size = Math.max(...expected.map(Math.abs));
      const off = Math.max(...expected.map((v, j) => Math.abs(v - written[i]![j]!)));
      expect(off, what).toBeLessThanOrEqual(tolerance * size);
    }
  }
}

describe('every candidate of every method gives a model whose weight is candidate.weight()', () => {
  it.each(LAYER_NAMES)('%s', async name => {
    const { model, samples } = oneLayer(name);
    await expectWrittenAsPromised(model, samples, 1e-4);
  });

  it.each(['MatMul x · W', 'Gemm transA, transB, alpha, beta', 'Conv 2-D in groups', 'Gather'])(
    'in float16 models: %s',
    async name => {
      const { model, samples } = oneLayer(name, { dtype: 'float16' });
      await expectWrittenAsPromised(model, samples, 1e-2);
    },
  );

  it.each([7, 9, 11, 13, 21])('at opset %i', async opset => {
    for (const name of ['MatMul x · W', 'Conv 2-D', 'Gather']) {
      const { model, samples } = oneLayer(name, { opset });
      await expectWrittenAsPromised(model, samples, 1e-4);
    }
  });

  it('leaves the given model as it was', async () => {
    const { model, samples } = oneLayer('MatMul x · W');
    const before = await run(model, samples);
    await expectWrittenAsPromised(model, samples, 1e-4);
    expect(await run(model, samples)).toEqual(before);
  });
});
