import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareModels, openContender } from '../../src/compare/index.node.js';
import { Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { saveModel } from '../../src/onnx/save.node.js';
import { comparePage } from '../../src/report/pages/compare.js';
import { inFolder, whittle } from '../cli/capture.js';

interface Names {
  input?: string;
  hidden?: string;
  output?: string;
}

/** x (n, 3) → hidden = x·A → relu → y = ·B, with both weights scaled. */
function chain(scaleA: number, scaleB: number, names: Names = {}): Model {
  const { input = 'x', hidden = 'hidden', output = 'y' } = names;
  const graph = new Graph('chain');
  const x = graph.addInput(input, tensorType('float32', ['n', 3]));
  const weight = (rows: number, columns: number, scale: number, name: string) =>
    graph.constant(
      Tensor.float32(
        [rows, columns],
        Array.from({ length: rows * columns }, (_, i) => scale * (((i * 7) % 5) - 1.5)),
      ),
      name,
    );
  const h = graph.op('MatMul', [x, weight(3, 4, scaleA, 'a')]);
  h.name = hidden;
  const y = graph.op('MatMul', [graph.op('Relu', [h]), weight(4, 2, scaleB, 'b')]);
  graph.addOutput(y, output);
  y.type = tensorType('float32', ['n', 2]);
  return new Model(graph);
}

const contender = (model: Model, name: string) => {
  const bytes = encodeToBytes(model);
  return { name, model, source: bytes, bytes: bytes.byteLength };
};
const QUICK = { timing: false, threads: 1, samples: 6 } as const;

describe('compareModels', () => {
  it('measures what is known: everything inside and outside off by the same factor', async () => {
    const { models, inputs } = await compareModels(
      [contender(chain(1, 1), 'one'), contender(chain(1.25, 1), 'bent')],
      QUICK,
    );
    expect(inputs).toMatchObject({ samples: 6, generated: true });
    const [first, bent] = models;
    expect(first).toMatchObject({ name: 'one', outputs: [], scores: [] });
    expect(first!.drift).toBeUndefined();
    const [y] = bent!.outputs;
    expect(y!.relativeError).toBeCloseTo(0.25, 5);
    expect(y!.cosine).toBeCloseTo(1, 6);
    expect(y!.top1).toBe(1);
    const { layers, values, samples } = bent!.drift!;
    expect(layers.map(({ op }) => op)).toEqual(['MatMul', 'Relu']);
    for (const layer of layers) expect(layer.relativeError).toBeCloseTo(0.25, 5);
    expect({ values, samples }).toEqual({ values: 2, samples: 4 });
  });

  it('finds the place where two models part', async () => {
    const { models } = await compareModels(
      [contender(chain(1, 1), 'one'), contender(chain(1, 2), 'b')],
      QUICK,
    );
    expect(models[1]!.drift!.layers.every(({ relativeError }) => relativeError === 0)).toBe(true);
    expect(models[1]!.outputs[0]!.relativeError).toBeCloseTo(1, 5);
  });

  it('matches inputs and outputs by place where their names differ, and says so', async () => {
    const renamed = chain(1, 1, { input: 'in', hidden: 'h2', output: 'out' });
    const { models, warnings } = await compareModels(
      [contender(chain(1, 1), 'one'), contender(renamed, 'renamed')],
      { ...QUICK, timing: true },
    );
    expect(warnings).toContainEqual(expect.stringMatching(/renamed has other names.*x as in, y as out/));
    expect(models[1]!.outputs[0]).toMatchObject({ name: 'y', relativeError: 0 });
    expect(models[1]!.time!.runs).toBeGreaterThanOrEqual(5);
  });

  it('does not take what was folded away for an error', async () => {
    // y = x·A, then scaled by 3; the other one has 3·A.
    const build = (fold: boolean): Model => {
      const graph = new Graph('fold');
      const x = graph.addInput('x', tensorType('float32', ['n', 2]));
      const a = graph.constant(
        Tensor.float32(
          [2, 2],
          [1, 2, 3, 4].map(v => (fold ? 3 * v : v)),
        ),
        'a',
      );
      const h = graph.op('MatMul', [x, a]);
      h.name = 'h';
      const scaled = fold ? h : graph.op('Mul', [h, graph.constant(Tensor.float32([2], [3, 3]), 'three')]);
      graph.addOutput(graph.op('Relu', [scaled]), 'y');
      return new Model(graph);
    };
    const { models } = await compareModels(
      [contender(build(false), 'a'), contender(build(true), 'b')],
      QUICK,
    );
    expect(models[1]!.drift!.layers).toEqual([]);
    expect(models[1]!.outputs[0]!.relativeError).toBeLessThan(1e-6);
  });

  it('scores every model, each against the first', async () => {
    const scaled = [1, 2, 3].map(scale => contender(chain(scale, 1), `×${scale}`));
    const { models } = await compareModels(scaled, {
      ...QUICK,
      driftSamples: 0,
      evaluate: async (runner, { reference }) => {
        const feeds = { x: Tensor.float32([1, 3], [1, 2, 3]) };
        const sum = async (who: typeof runner) =>
          (await who.run(feeds)).y!.toNumbers().reduce((total, value) => total + Math.abs(value), 0);
        return { ratio: (await sum(runner)) / (await sum(reference)) };
      },
    });
    expect(models.map(({ scores }) => scores.map(({ before, after }) => [before, after]))).toEqual([
      [[1, 1]],
      [[1, expect.closeTo(2, 5)]],
      [[1, expect.closeTo(3, 5)]],
    ]);
    expect(models[1]!.drift).toBeUndefined();
  });

  it('refuses models that do not take the same', async () => {
    const other = new Graph('other');
    other.addOutput(other.op('Relu', [other.addInput('x', tensorType('float64', ['n', 3]))]), 'y');
    await expect(
      compareModels([contender(chain(1, 1), 'one'), contender(new Model(other), 'two')], QUICK),
    ).rejects.toThrow(/inputs are not those of the first model: x float64 instead of x float32.*two/);
    await expect(compareModels([contender(chain(1, 1), 'one')], QUICK)).rejects.toThrow(/two models or more/);
  });
});

describe('openContender', () => {
  it('counts external data, and what gzip makes of both', () =>
    inFolder(async (folder, model) => {
      const path = join(folder, 'outside.onnx');
      const saved = await saveModel(await loadModel(model), path, { externalData: { threshold: 1 } });
      const { bytes, gzipBytes, source } = await openContender(path, 'outside');
      expect(saved.files).toHaveLength(2);
      expect(bytes).toBe(saved.bytes);
      expect(gzipBytes).toBeGreaterThan(1000);
      expect(gzipBytes).toBeLessThan(bytes);
      expect(source).toBe(path);
    }));
});

describe('whittle compare', () => {
  const fast = ['--threads', '1', '--samples', '4'];
  it('prints tables, writes a page, takes an evaluation', () =>
    inFolder(async (folder, model) => {
      const bent = join(folder, 'bent.onnx');
      await saveModel(await loadModel(model), bent);
      const score = join(folder, 'score.ts');
      await writeFile(score, 'export default async () => ({ luck: 7 });');
      const html = join(folder, 'page.html');
      const { code, out, err } = await whittle(
        ['compare', model, bent, '--eval', score, '--html', html, ...fast],
        { width: 160 },
      );
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toMatch(
        /model\.onnx +27\.9 kB +100% +[\d.]+ kB +3 +[\d.]+ m?s +[\d.]+ [kM]?B +[\d.]+ m?s +×1\n/,
      );
      expect(out).toMatch(/bent\.onnx +y +1 +1 +0% +100%/);
      expect(out).toMatch(/luck\n.*7\n.*7 \(±0\)/);
      expect(out).toContain('bent.onnx: 2 values of 2 inside have the same name and shape');
      expect(out).toContain('Inputs are made up');
    }));

  it('--json prints the report alone; --no-time and --no-layers leave out', () =>
    inFolder(async (_folder, model) => {
      const args = ['compare', model, model, '--json', '--no-time', '--no-layers', ...fast];
      const { code, out, err } = await whittle(args);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const report = JSON.parse(out);
      expect(report.models).toHaveLength(2);
      for (const key of ['time', 'load', 'drift']) expect(report.models[1]).not.toHaveProperty(key);
      expect(comparePage(report)).toContain('whittle compare');
    }));

  it('wants two models', async () => {
    const { code, err } = await whittle(['compare', 'a.onnx']);
    expect(code).toBe(2);
    expect(err).toMatch(/two models or more/);
  });
});
