import { describe, expect, it } from 'vitest';
import { findSites, type Site } from '../../src/calibrate/sites.js';
import { Distortion } from '../../src/compress/distortion.js';
import { EndToEnd } from '../../src/compress/end-to-end.js';
import { fromMatrix, toMatrix } from '../../src/compress/matrix.js';
import { cloneModel } from '../../src/graph/clone.js';
import { Graph, Model, Tensor, tensorType, type Value } from '../../src/graph/index.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import { Random } from '../../src/random/random.js';
import { createSession, type Tensors } from '../../src/runtime/index.js';
import { numbers } from './one-layer.js';

/** Twelve layers with a skip, a branch inside an If, an output half way and class probabilities at the end. */
function deepModel(): { model: Model; samples: Tensors[] } {
  const random = new Random(7);
  const graph = new Graph();
  const x = graph.addInput('x', tensorType('float32', ['n', 12]));
  const weight = () =>
    graph.constant(
      Tensor.float32(
        [12, 12],
        numbers(random, 144, 0).map(v => v / 3),
      ),
      'w',
    );
  let h = x;
  for (let i = 0; i < 4; i++) {
    const a = graph.op('Tanh', [graph.op('MatMul', [h, weight()])]);
    const b = graph.op('MatMul', [graph.op('Relu', [graph.op('MatMul', [a, weight()])]), weight()]);
    h = graph.op('Add', [h, b]);
    if (i === 1) {
      const half = graph.op('Neg', [h]);
      half.type = tensorType('float32');
      graph.addOutput(half, 'half');
      // The If reads h from outside.
      const branch = (sign: string) => {
        const inner = new Graph(sign);
        const y = inner.op(sign, [h]);
        y.type = tensorType('float32');
        inner.addOutput(y);
        return inner;
      };
      const yes = graph.constant(Tensor.from('bool', [], Uint8Array.of(1)), 'yes');
      const flag = graph.op('Identity', [yes]);
      h = graph.op('If', [flag], { then_branch: branch('Sin'), else_branch: branch('Cos') });
    }
  }
  const p = graph.op('Softmax', [h], { axis: -1 });
  p.type = tensorType('float32');
  graph.addOutput(p, 'p');
  const model = new Model(graph);
  model.opsets.set('', 17);
  model.irVersion = 8;
  inferShapes(model);
  const samples = [5, 3].map(n => ({ x: Tensor.float32([n, 12], numbers(random, n * 12)) }));
  return { model, samples };
}

async function outputsOf(model: Model, samples: readonly Tensors[]): Promise<Tensors[]> {
  const session = await createSession(model, { threads: 1 });
  const results: Tensors[] = [];
  for (const sample of samples) results.push(await session.run(sample));
  await session.release();
  return results;
}

/** Measures by writing the weights into a copy of the model. */
async function written(
  model: Model,
  samples: readonly Tensors[],
  replacements: ReadonlyMap<Site, Float32Array>,
): Promise<number> {
  const values = new Map<Value, Value>();
  const copy = cloneModel(model, values);
  for (const [{ value, tensor, layout }, data] of replacements) {
    values.get(value)!.initializer = Tensor.float32(tensor.dims, fromMatrix(data, tensor.dims, layout));
  }
  const distortion = new Distortion(await outputsOf(model, samples));
  const results = await outputsOf(copy, samples);
  return results.reduce((sum, outputs, i) => sum + distortion.ofSample(i, outputs), 0) / samples.length;
}

describe('EndToEnd', () => {
  it('measures what a written model shows, layer by layer and all together', async () => {
    const { model, samples } = deepModel();
    const sites = findSites(model);
    expect(sites).toHaveLength(12);
    const coarse = new Map(
      sites.map(site => {
        const { data } = toMatrix(site.tensor, site.layout);
        return [site, data.map(v => Math.round(v * 4) / 4)] as const;
      }),
    );
    const endToEnd = await EndToEnd.create(model, sites, samples, 1);
    for (const [site, data] of coarse) {
      const single = new Map([[site, data]]);
      const expected = await written(model, samples, single);
      expect(expected).toBeGreaterThan(0);
      expect((await endToEnd.measure(single)) / expected).toBeCloseTo(1, 4);
    }
    expect((await endToEnd.measure(coarse)) / (await written(model, samples, coarse))).toBeCloseTo(1, 4);
    expect(await endToEnd.measure(new Map())).toBeLessThan(1e-9);
    const agreements = await endToEnd.agreement(coarse);
    expect(agreements.map(({ name }) => name)).toEqual(['half', 'p']);
    await endToEnd.release();
  });
});

describe('Distortion', () => {
  const random = new Random(11);
  const softmax = (scores: Float32Array) => {
    const e = scores.map(Math.exp);
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map(v => v / sum);
  };

  it('compares the logits of the likeliest classes where the output is probabilities', () => {
    const scores = numbers(random, 50, 0).map(v => 4 * v);
    const near = scores.map(v => v + 0.2 * random.normal());
    const top = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!).slice(0, 4);
    const variance = (values: number[]) => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      return values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
    };
    const expected = variance(top.map(i => near[i]! - scores[i]!)) / variance(top.map(i => scores[i]!));
    const tensor = (data: Float32Array) => ({ y: Tensor.float32([1, 50], data) });
    const distortion = new Distortion([tensor(softmax(scores))]);
    expect(distortion.ofSample(0, tensor(softmax(near))) / expected).toBeCloseTo(1, 5);
    expect(distortion.ofSample(0, tensor(softmax(scores)))).toBe(0);
  });

  it('is the squared error over the variance for everything else', () => {
    const y = numbers(random, 400);
    const off = y.map(v => v + 0.5);
    const mean = y.reduce((a, b) => a + b, 0) / 400;
    const variance = y.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 400;
    const distortion = new Distortion([{ y: Tensor.float32([400], y) }]);
    expect(distortion.ofSample(0, { y: Tensor.float32([400], off) })).toBeCloseTo(0.25 / variance, 5);
  });

  it('is infinite for NaN', () => {
    const distortion = new Distortion([{ y: Tensor.float32([2], [1, 2]) }]);
    expect(distortion.ofSample(0, { y: Tensor.float32([2], [1, Number.NaN]) })).toBe(Infinity);
  });
});
