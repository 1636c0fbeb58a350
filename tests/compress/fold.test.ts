import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { WeightLayout } from '../../src/calibrate/sites.js';
import { foldFloat16, foldIntegers } from '../../src/compress/forms/fold.js';
import { fromMatrix, toMatrix } from '../../src/compress/matrix.js';
import { dequantizeRows, quantizeForStorage } from '../../src/compress/rounding/quantizer.js';
import { type DType, Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { toFloat16 } from '../../src/graph/tensor.js';
import { Random } from '../../src/random/random.js';
import { createSession } from '../../src/runtime/index.js';
import { numbers } from './one-layer.js';

const SHAPES: { dims: number[]; layout: WeightLayout }[] = [
  { dims: [5, 37], layout: { perm: [0, 1], split: 1 } },
  { dims: [37, 5], layout: { perm: [1, 0], split: 1 } },
  { dims: [4, 3, 3, 3], layout: { perm: [0, 1, 2, 3], split: 1 } },
  { dims: [3, 4, 5], layout: { perm: [1, 0, 2], split: 1 } },
  { dims: [2, 6, 9], layout: { perm: [0, 1, 2], split: 2 } },
];

const LARGE: typeof SHAPES = [
  { dims: [1024, 1031], layout: { perm: [1, 0], split: 1 } },
  { dims: [1031, 1021], layout: { perm: [0, 1], split: 1 } },
];

/** Builds one model with the expressions of many weights and compares what ONNX Runtime makes of each. */
async function expectExact(opset: number, dtype: DType, all = false, large = false): Promise<void> {
  const random = new Random(opset, dtype);
  const graph = new Graph();
  const expected = new Map<string, Float32Array>();
  const add = (value: ReturnType<Graph['op']>, data: Float32Array) => {
    // The expression alone would be a graph of constants.
    const output = graph.op('Identity', [value]);
    output.type = tensorType(dtype);
    graph.addOutput(output, `y${expected.size}`);
    expected.set(output.name, dtype === 'float16' ? data.map(toFloat16) : data);
  };
  for (const { dims, layout } of large ? LARGE : SHAPES) {
    const size = dims.reduce((a, b) => a * b, 1);
    const weight = Tensor.float32(dims, numbers(random, size));
    const matrix = toMatrix(weight, layout);
    const target = { dims, dtype, layout, opset };
    for (const bits of all ? [2, 3, 4, 5, 6, 7, 8] : large ? [4, 7] : [3, 6, 8]) {
      for (const block of all ? [0, 4, 16, 128] : large ? [16] : [0, 16]) {
        const quantized = quantizeForStorage(matrix, { bits, block });
        add(foldIntegers(graph, quantized, target), fromMatrix(dequantizeRows(quantized), dims, layout));
      }
    }
    if (dtype === 'float32') {
      add(foldFloat16(graph, weight.toFloat32(), target), weight.toFloat32().map(toFloat16));
    }
  }
  const model = new Model(graph);
  model.opsets.set('', opset);
  model.irVersion = 8;
  const session = await createSession(model, { threads: 1 });
  const results = await session.run({});
  await session.release();
  for (const [name, data] of expected) {
    const actual = results[name]!.toFloat32();
    expect(actual.length).toBe(data.length);
    expect(actual.findIndex((value, i) => value !== data[i])).toBe(-1);
  }
}

describe('the fold form gives exactly the weight that was meant', () => {
  it('for all bits and blocks', () => expectExact(17, 'float32', true));
  it.each([7, 9, 10, 11, 13, 21])('at opset %i', opset => expectExact(opset, 'float32'));
  it('in float16 models', () => expectExact(17, 'float16'));
  it('for large weights, which are looked up', () => expectExact(17, 'float32', false, true));
});

/** Bytes with `width` bits of each number, from bit `shift` on, as the planes of the fold form lay them out. */
function plane(codes: readonly number[], shift: number, width: number): Uint8Array {
  const size = (codes.length * width) / 8;
  const bytes = new Uint8Array(size);
  codes.forEach((code, i) => {
    bytes[i % size]! |= ((code >> shift) % 2 ** width) << (width * Math.floor(i / size));
  });
  return bytes;
}

describe('packed integers', () => {
  it.each([
    [3, [2, 1]],
    [5, [4, 1]],
    [6, [4, 2]],
    [7, [4, 2, 1]],
  ])('of %i bits: the wide plane holds the high bits, so that gzip packs them better', (bits, widths) => {
    const [rows, cols] = [128, 256];
    const weight = Tensor.float32([rows, cols], numbers(new Random(4), rows * cols));
    const layout = { perm: [0, 1], split: 1 };
    const quantized = quantizeForStorage(toMatrix(weight, layout), { bits, block: 32 });
    const graph = new Graph();
    foldIntegers(graph, quantized, { dims: [rows, cols], dtype: 'float32', layout, opset: 17 });
    const written = [...graph.initializers]
      .flatMap(({ initializer }) => (initializer instanceof Tensor ? [initializer] : []))
      .filter(({ dtype }) => dtype === 'uint8')
      .map(tensor => tensor.bytes());
    const codes = Array.from(quantized.q, q => q + 2 ** (bits - 1));
    const planes = (order: readonly number[], from: (before: number, width: number) => number) => {
      let before = 0;
      return order.map(width => {
        const bytes = plane(codes, from(before, width), width);
        before += width;
        return bytes;
      });
    };
    expect(written).toEqual(planes(widths, (before, width) => bits - before - width));
    const gzipped = (some: readonly Uint8Array[]) =>
      some.reduce((sum, bytes) => sum + gzipSync(bytes).byteLength, 0);
    // Laid out the other way, the low bits together, there is less to win.
    const other = planes(widths, before => before);
    expect(gzipped(written) / gzipped(other)).toBeLessThan(0.995);
  });
});
