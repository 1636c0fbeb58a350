import { describe, expect, it } from 'vitest';
import { foldFloat16, foldIntegers } from '../../src/compress/forms/fold.js';
import { fromMatrix, toMatrix } from '../../src/compress/matrix.js';
import { dequantizeRows, quantizeForStorage } from '../../src/compress/quantizer.js';
import type { WeightLayout } from '../../src/compress/sites.js';
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

/** Builds one model with the expressions of many weights and compares what ONNX Runtime makes of each. */
async function expectExact(opset: number, dtype: DType, all = false): Promise<void> {
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
  for (const { dims, layout } of SHAPES) {
    const size = dims.reduce((a, b) => a * b, 1);
    const weight = Tensor.float32(dims, numbers(random, size));
    const matrix = toMatrix(weight, layout);
    const target = { dims, dtype, layout, opset };
    for (const bits of all ? [2, 3, 4, 5, 6, 7, 8] : [3, 6, 8]) {
      for (const block of all ? [0, 4, 16, 128] : [0, 16]) {
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
  // −0 is 0.
  const unsigned = (values: Float32Array): Float32Array => values.map(v => v + 0);
  for (const [name, data] of expected) expect(unsigned(results[name]!.toFloat32())).toEqual(unsigned(data));
}

describe('the fold form gives exactly the weight that was meant', () => {
  it('for all bits and blocks', () => expectExact(17, 'float32', true));
  it.each([7, 9, 10, 11, 13, 21])('at opset %i', opset => expectExact(opset, 'float32'));
  it('in float16 models', () => expectExact(17, 'float16'));
});
