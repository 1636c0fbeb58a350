import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { findSites, type Site } from '../../../src/calibrate/sites.js';
import { foldIntegers } from '../../../src/compress/forms/fold.js';
import { type PackedWeight, unpackInStages } from '../../../src/compress/forms/stages.js';
import { Layer } from '../../../src/compress/layer.js';
import { quantizeCandidate } from '../../../src/compress/methods/quantize.js';
import { distill } from '../../../src/compress/recover/distill.js';
import { type QuantizedMatrix, quantizeForStorage } from '../../../src/compress/rounding/quantizer.js';
import { Graph, Model, Tensor, tensorType } from '../../../src/graph/index.js';
import { analyzeShapes } from '../../../src/graph/infer/index.js';
import { initLinalg } from '../../../src/linalg/index.js';
import { encodeToBytes } from '../../../src/onnx/index.js';
import { loadModel } from '../../../src/onnx/load.node.js';
import { Random } from '../../../src/random/random.js';
import { numbers } from '../one-layer.js';
import { opTypes, outputs, relativeError, write as writeCandidates } from './written.js';

beforeAll(() => initLinalg());

const SHAPE = { rows: 96, cols: 128 };

/** x · W₁ + … + x · Wₙ, each W in packed integers. */
function packedModel(count: number, opset: number, staged: boolean, bits = 6): Model {
  const random = new Random(count);
  const { rows, cols } = SHAPE;
  const graph = new Graph('packed');
  const x = graph.addInput('x', tensorType('float32', [2, cols]));
  const layout = { perm: [1, 0], split: 1 };
  const weights: PackedWeight[] = [];
  const products = Array.from({ length: count }, () => {
    const known = new Set(graph.initializers);
    const matrix = { data: numbers(random, rows * cols), rows, cols };
    const target = { dims: [cols, rows], dtype: 'float32', layout, opset } as const;
    const weight = foldIntegers(graph, quantizeForStorage(matrix, { bits, block: 32 }), target);
    const constants = [...graph.initializers].filter(value => !known.has(value));
    weights.push({ constants, size: rows * cols });
    return graph.op('MatMul', [x, weight]);
  });
  graph.addOutput(
    products.reduce((a, b) => graph.op('Add', [a, b])),
    'y',
  );
  if (staged) unpackInStages(graph, weights);
  const model = new Model(graph);
  model.opsets.set('', opset);
  model.irVersion = 8;
  return model;
}

const sample = { x: Tensor.float32([2, SHAPE.cols], numbers(new Random(7), 2 * SHAPE.cols)) };

/** Loads a file into ONNX Runtime in a process of its own: its log, and the file that it would run. */
function load(model: Model): { log: string; loaded: Promise<Model> } {
  const folder = mkdtempSync(join(tmpdir(), 'stages-'));
  const [file, optimized] = [join(folder, 'model.onnx'), join(folder, 'optimized.onnx')];
  writeFileSync(file, encodeToBytes(model));
  const script = `
    const ort = require('onnxruntime-node');
    ort.env.logLevel = 'verbose';
    const [file, optimizedModelFilePath] = process.argv.slice(1);
    const options = { logSeverityLevel: 0, graphOptimizationLevel: 'basic', optimizedModelFilePath };
    ort.InferenceSession.create(file, options);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script, file, optimized], {
    encoding: 'utf8',
  });
  return { log: stdout + stderr, loaded: loadModel(optimized) };
}

const passes = (log: string): number => log.match(/ConstantFolding modified: 1/g)?.length ?? 0;

describe('unpacking in stages', () => {
  it.each([11, 13, 21])('gives the same outputs at opset %i', async opset => {
    const [expected, actual] = await Promise.all(
      [false, true].map(staged => outputs(packedModel(11, opset, staged), [sample])),
    );
    expect(actual).toEqual(expected);
  });

  it('gives them in ONNX Runtime Web', async () => {
    const [native, web] = [
      await outputs(packedModel(11, 17, false), [sample]),
      await outputs(packedModel(11, 17, true), [sample], 'wasm'),
    ];
    expect(relativeError(native, web)).toBeLessThan(1e-6);
  });

  it('takes a pass of ONNX Runtime for each stage, and leaves nothing to do at a run', async () => {
    const [plain, staged] = [load(packedModel(16, 17, false)), load(packedModel(16, 17, true))];
    // ONNX Runtime may need a pass more to remove what shapes were made of.
    expect(passes(plain.log)).toBeLessThanOrEqual(2);
    expect(passes(staged.log)).toBeGreaterThanOrEqual(8);
    expect(opTypes(await plain.loaded)).not.toContain('Mul');
    expect(opTypes(await staged.loaded).toSorted()).toEqual(opTypes(await plain.loaded).toSorted());
  });

  it('puts each weight into one stage, of about as many numbers', () => {
    const { graph } = packedModel(24, 17, true);
    const ifs = [...graph.nodes].filter(({ opType }) => opType === 'If');
    expect(ifs).toHaveLength(7);
    for (const node of ifs) {
      // The planes of 4 bits and the marker; those of 2 bits are too small to be held back.
      expect(node.outputs).toHaveLength(3 + 1);
    }
  });

  it('lets gradients through to the scales', async () => {
    const random = new Random(3);
    const samples = Array.from({ length: 8 }, () => ({
      x: Tensor.float32([2, SHAPE.cols], numbers(random, 2 * SHAPE.cols)),
    }));
    const [original, staged] = [packedModel(9, 17, false, 8), packedModel(9, 17, true, 4)];
    const { before, after } = await distill(original, staged, samples, { epochs: 2, threads: 1 });
    expect(after).toBeLessThan(before);
  });

  it('leaves shapes known', () => {
    const { graph } = packedModel(16, 17, true);
    const analysis = analyzeShapes(graph);
    expect(analysis.problems).toEqual([]);
    const weights = [...graph.nodes]
      .filter(({ opType }) => opType === 'MatMul')
      .map(({ inputs }) => inputs[1]!);
    for (const weight of weights) {
      expect(analysis.typeOf(weight)).toEqual(tensorType('float32', [SHAPE.cols, SHAPE.rows]));
    }
  });

  it('is for large models of operator set 11 or newer', () => {
    const [rows, cols] = [2 ** 14, 640];
    const graph = new Graph('tables');
    const ids = graph.addInput('ids', tensorType('int64', [4]));
    const data = new Float32Array(rows * cols).fill(1);
    for (const name of ['a', 'b']) {
      const table = graph.constant(Tensor.float32([rows, cols], data), name);
      graph.addOutput(graph.op('Gather', [table, ids]), `of_${name}`);
    }
    const model = new Model(graph);
    model.opsets.set('', 17);
    const quantized: QuantizedMatrix = {
      format: { bits: 4, block: 64 },
      rows,
      cols,
      paddedCols: cols,
      block: 64,
      q: new Int8Array(rows * cols),
      scales: new Float32Array((rows * cols) / 64),
    };
    const sites = findSites(model);
    const write = (some: readonly Site[]) =>
      opTypes(
        writeCandidates(
          model,
          some.map(site => [site, quantizeCandidate(new Layer(site), quantized.format, quantized)]),
        ),
      );
    expect(write(sites)).toContain('If');
    expect(write(sites.slice(0, 1))).not.toContain('If');
    model.opsets.set('', 10);
    expect(write(sites)).not.toContain('If');
  });
});
