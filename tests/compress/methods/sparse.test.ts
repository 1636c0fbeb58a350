import { describe, expect, it } from 'vitest';
import { compress } from '../../../src/compress/compress.js';
import type { Layer } from '../../../src/compress/layer.js';
import { sweepColumns } from '../../../src/compress/methods/column-sweep.js';
import {
  pruneLayer,
  type SparseFormat,
  sparse,
  sparseCandidate,
} from '../../../src/compress/methods/sparse.js';
import { ByteScale } from '../../../src/compress/score.js';
import { Tensor, tensorType } from '../../../src/graph/index.js';
import { executed } from '../forms/executed.js';
import { layersOf, modelOf, outputs, relativeError, withWeights, write } from '../forms/written.js';
import { LAYER_NAMES, oneLayer } from '../one-layer.js';

const FORMATS: readonly SparseFormat[] = [
  { sparsity: 0.5, bits: 4, block: 8 },
  { sparsity: { n: 2, m: 4 }, bits: 3, block: 64 },
  { sparsity: { n: 1, m: 4 }, bits: 8, block: 4 },
  { sparsity: { n: 4, m: 8 }, bits: 4, block: 64 },
];

const product = async () => {
  const { model, samples } = modelOf([4, 60, 24], (g, x, c) => g.op('MatMul', [x, c([24, 10])]));
  return { model, layer: (await layersOf(model, samples))[0]! };
};

/** Inverse by Gauss–Jordan. */
function inverse(a: readonly (readonly number[])[]): number[][] {
  const n = a.length;
  const rows = a.map((row, i) => [...row, ...row.map((_, j) => Number(i === j))]);
  for (let i = 0; i < n; i++) {
    const pivot = rows[i]![i]!;
    rows[i] = rows[i]!.map(v => v / pivot);
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const factor = rows[k]![i]!;
      rows[k] = rows[k]!.map((v, j) => v - factor * rows[i]![j]!);
    }
  }
  return rows.map(row => row.slice(n));
}

/** S with the damping of error feedback. */
function damped({ moment, matrix: { cols } }: Layer): number[][] {
  const s = moment!.second[0]!;
  let trace = 0;
  for (let i = 0; i < cols; i++) trace += s[i * cols + i]!;
  const entry = (i: number, j: number) => s[i * cols + j]! + (i === j ? (0.01 * trace) / cols : 0);
  return Array.from({ length: cols }, (_, i) => Array.from({ length: cols }, (_, j) => entry(i, j)));
}

describe('sweepColumns', () => {
  it('makes errors good as optimal brain surgeon defines it', async () => {
    const { layer } = await product();
    const { data, rows, cols } = layer.matrix;
    const s = damped(layer);
    const drop = (row: number, column: number) => (row + column) % 3 === 0;
    const expected = Float64Array.from(data);
    for (let c = 0; c < cols; c++) {
      // The inverse of what is left, anew for each column; its first row says who makes good how much.
      const left = inverse(s.slice(c).map(row => row.slice(c)))[0]!;
      for (let r = 0; r < rows; r++) {
        if (!drop(r, c)) continue;
        const error = expected[r * cols + c]! / left[0]!;
        for (let j = c; j < cols; j++) expected[r * cols + j]! -= error * left[j - c]!;
        expected[r * cols + c] = 0;
      }
    }
    for (const step of [4, 8, 64]) {
      const rule = { store: (row: number, column: number, value: number) => (drop(row, column) ? 0 : value) };
      const swept = sweepColumns(layer, rule, { step });
      for (let i = 0; i < swept.length; i++) expect(swept[i]!).toBeCloseTo(expected[i]!, 5);
    }
  });
});

describe('pruneLayer', () => {
  it('keeps what the criterion ranks highest', async () => {
    const { layer } = await product();
    const { data, rows, cols } = layer.matrix;
    const s = layer.moment!.second[0]!;
    const size = (i: number, wanda: boolean) =>
      Math.abs(data[i]!) * (wanda ? Math.sqrt(s[(i % cols) * cols + (i % cols)]!) : 1);
    const format = { sparsity: 0.5, bits: 8, block: 64 };
    const all = [...data.keys()].toSorted((a, b) => size(b, false) - size(a, false));
    const magnitude = pruneLayer(layer, format, 'magnitude').kept;
    expect(all.every((i, rank) => magnitude[i] === Number(rank < all.length / 2))).toBe(true);
    const wanda = pruneLayer(layer, format, 'wanda').kept;
    for (let r = 0; r < rows; r++) {
      const row = Array.from({ length: cols }, (_, c) => r * cols + c);
      row.sort((a, b) => size(b, true) - size(a, true));
      expect(row.every((i, rank) => wanda[i] === Number(rank < cols / 2))).toBe(true);
    }
  });

  it('keeps n of every m, and about the share of all that it was told', async () => {
    const { layer } = await product();
    const { rows, cols } = layer.matrix;
    for (const criterion of ['magnitude', 'wanda', 'sparsegpt'] as const) {
      for (const pattern of [
        { n: 2, m: 4 },
        { n: 4, m: 8 },
      ]) {
        const { kept } = pruneLayer(layer, { sparsity: pattern, bits: 4, block: 64 }, criterion);
        for (let at = 0; at < kept.length; at += pattern.m) {
          const group = kept.subarray(at, at + pattern.m);
          expect(group.reduce((a, b) => a + b, 0)).toBe(pattern.n);
        }
      }
      const { kept } = pruneLayer(layer, { sparsity: 0.7, bits: 4, block: 64 }, criterion);
      const part = criterion === 'wanda' ? cols : rows * cols;
      expect(kept.reduce((a, b) => a + b, 0)).toBe(Math.round(0.3 * part) * ((rows * cols) / part));
    }
  });

  it('errs less with its errors made good, and less the more it keeps', async () => {
    const { layer } = await product();
    const error = (sparsity: number, criterion: 'magnitude' | 'wanda' | 'sparsegpt') =>
      layer.error(sparseCandidate(layer, { sparsity, bits: 8, block: 64 }, criterion).weight());
    let last = 0;
    for (const sparsity of [0.2, 0.5, 0.8]) {
      const found = error(sparsity, 'sparsegpt');
      expect(found).toBeGreaterThan(last);
      expect(found).toBeLessThan(error(sparsity, 'magnitude'));
      expect(found).toBeLessThan(error(sparsity, 'wanda'));
      last = found;
    }
  });
});

describe('sparse', () => {
  it.each(LAYER_NAMES)('writes what it promises: %s', async name => {
    const { model, samples } = oneLayer(name);
    const inputs = samples.slice(0, 1);
    const [layer] = await layersOf(model, inputs);
    for (const candidate of FORMATS.map(format => sparseCandidate(layer!, format))) {
      const promised = withWeights(model, [[layer!.site, candidate.weight()]]);
      const written = write(model, [[layer!.site, candidate]]);
      for (const each of [promised, written]) each.graph.outputs[0]!.name = 'y';
      const error = relativeError(await outputs(promised, inputs), await outputs(written, inputs));
      expect(error, candidate.label).toBeLessThan(1e-5);
    }
  });

  it.each([11, 13])('runs at opset %i', async opset => {
    const { model, samples } = oneLayer('Gemm with bias', { opset });
    const [layer] = await layersOf(model, samples);
    const candidate = sparseCandidate(layer!, FORMATS[0]!);
    const promised = withWeights(model, [[layer!.site, candidate.weight()]]);
    const written = write(model, [[layer!.site, candidate]]);
    for (const each of [promised, written]) each.graph.outputs[0]!.name = 'y';
    expect(relativeError(await outputs(promised, samples), await outputs(written, samples))).toBeLessThan(
      1e-5,
    );
  });

  const named = {
    threads: 1,
    timing: false,
    samples: { calibration: 4, verification: 2 },
    onlyMethods: ['sparse'],
    maxSize: '60%',
  };

  it('is put together when the model is loaded, not in every run', async () => {
    const { model, layer } = await product();
    for (const format of FORMATS) {
      const written = write(model, [[layer.site, sparseCandidate(layer, format)]]);
      expect(await executed(written, { x: Tensor.float32([4, 60, 24], new Float32Array(5760)) })).toEqual([
        'MatMul',
      ]);
    }
  });

  it('raises older models to the operators that it needs', async () => {
    const { model } = modelOf([4, 256], (g, x, c) => g.op('MatMul', [x, c([256, 64])]), { opset: 8 });
    model.graph.inputs[0]!.type = tensorType('float32', [4, 256]);
    const { model: small, report } = await compress(model, named);
    expect(small.opset).toBe(11);
    expect([...small.graph.nodes].map(({ opType }) => opType)).toContain('CumSum');
    expect(report.bytes.after).toBeLessThan(0.6 * report.bytes.before);
    expect(model.opset).toBe(8);
  });

  it('refuses models that cannot be raised, and says why', async () => {
    const { model } = modelOf([4, 256], (g, x, c) => g.op('MatMul', [x, c([256, 64])]), { opset: 8 });
    const { graph } = model;
    graph.outputs[0] = graph.op('Scan', [graph.outputs[0]!], {}, { name: 'loop' });
    await expect(compress(model, named)).rejects.toThrow(
      /"sparse" writes operators of set 11, and this model of set 8 cannot be raised to it.*loop/,
    );
    const old = oneLayer('Gemm with bias', { opset: 7 }).model;
    const layer = (await layersOf(old, []))[0]!;
    expect(() => write(old, [[layer.site, sparseCandidate(layer, FORMATS[0]!)]])).toThrow(
      /needs operator set 11, not 7/,
    );
  });

  it('writes files as small as its numbers', async () => {
    const { model } = modelOf([4, 256], (g, x, c) => g.op('MatMul', [x, c([256, 256])]));
    const [layer] = await layersOf(model, []);
    const scale = new ByteScale(layer!.site, model);
    const bytesOf = (format: SparseFormat) => scale.bytesOf(sparseCandidate(layer!, format));
    const [numbers, overhead] = [256 * 256, 1500];
    const scales = (numbers / 64) * 2;
    const half = bytesOf({ sparsity: 0.5, bits: 4, block: 64 });
    expect(half).toBeLessThan(numbers * (1 / 8 + 1 / 4) + scales + overhead);
    const pattern = bytesOf({ sparsity: { n: 2, m: 4 }, bits: 4, block: 64 });
    expect(pattern).toBeLessThan(numbers * (3 / 32 + 1 / 4) + scales + overhead);
    const sizes = [...sparse.propose(layer!)].map(candidate => scale.bytesOf(candidate));
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
  });
});
