import { describe, expect, it } from 'vitest';
import { expectShapes } from './compare.js';

describe('matrix products', () => {
  it('have the shapes of the runtime', async () => {
    await expectShapes(
      c => {
        const { random } = c;
        const [m, k, n] = random.shape(3, 1, 6) as [number, number, number];
        const batch = random.shape(random.int(0, 2));
        const other = batch.slice(random.int(0, batch.length)).map(dim => random.pick(1, dim));
        c.op('MatMul', [c.input([...batch, m, k]), c.input([...other, k, n])]);
        c.op('MatMul', [c.input([k]), c.input([...batch, k, n])]);
        c.op('MatMul', [c.input([...batch, m, k]), c.input([k])]);
        c.op('MatMul', [c.input([k]), c.input([k])]);
        const [transA, transB] = [random.int(0, 1), random.int(0, 1)];
        const a = c.input(transA ? [k, m] : [m, k]);
        const b = c.input(transB ? [n, k] : [k, n]);
        c.op('Gemm', [a, b], { transA, transB });
        c.op('Gemm', [a, b, c.input([n])], { transA, transB, alpha: 0.5 });
        c.op('Gemm', [a, b, c.input([m, 1])], { transA, transB });
        c.microsoft('FusedMatMul', [a, b], { transA, transB });
        c.op('MatMulInteger', [c.input([...batch, m, k], 'uint8'), c.weight([k, n], 'uint8')]);
      },
      { seeds: 10 },
    );
  });

  it('as Einsum', async () => {
    const known = await expectShapes(
      c => {
        const [b, i, j, k] = c.random.shape(4, 1, 4) as [number, number, number, number];
        c.op('Einsum', [c.input([i, j]), c.weight([j, k])], { equation: 'ij,jk->ik' });
        c.op('Einsum', [c.input([b, i, j]), c.input([b, j, k])], { equation: 'bij,bjk' });
        c.op('Einsum', [c.input([b, i, i])], { equation: 'bii->bi' });
        c.op('Einsum', [c.input([b, i, j]), c.weight([j, k])], { equation: '...j,jk->...k' });
        c.op('Einsum', [c.input([b, i, j])], { equation: 'b i j -> j b' });
        c.op('Einsum', [c.input([i]), c.input([j])], { equation: 'i,j->ij' });
      },
      { opset: 13 },
    );
    // Two names for one letter (of `bii`, and of the batch) are one size that is not known.
    expect(known).toBeGreaterThan(0.9);
  });
});

describe('quantized operators', () => {
  it('have the shapes of the runtime', async () => {
    await expectShapes(c => {
      const { random } = c;
      const [m, k, n] = random.shape(3, 2, 5) as [number, number, number];
      const x = c.input([m, k]);
      const scale = c.scalar(0.5, 'float32');
      const zero = c.scalar(3, 'uint8');
      const q = c.op('QuantizeLinear', [x, scale, zero]);
      c.op('QuantizeLinear', [x, scale]);
      c.op('QuantizeLinear', [x, scale], { output_dtype: 3 });
      c.op('DequantizeLinear', [q, scale, zero]);
      c.graph.node('DynamicQuantizeLinear', [x], {}, { outputs: 3 });
      const w = c.weight([k, n], 'uint8');
      c.op('QLinearMatMul', [q, scale, zero, w, scale, zero, scale, zero]);
      const image = c.input([1, 2, 6, 7], 'uint8');
      c.op('QLinearConv', [image, scale, zero, c.weight([3, 2, 3, 3], 'uint8'), scale, zero, scale, zero]);
      c.microsoft('DynamicQuantizeMatMul', [x, w, scale, zero]);
      c.microsoft('QLinearAdd', [q, scale, zero, q, scale, zero, scale, zero]);
      c.microsoft('QLinearSigmoid', [q, scale, zero, scale, zero]);
      // 32 columns in blocks of 16, two entries in a byte
      const packed = c.weight([n, 2, 8], 'uint8');
      c.microsoft('MatMulNBits', [c.input([m, 32]), packed, c.weight([n * 2])], {
        K: 32,
        N: n,
        bits: 4,
        block_size: 16,
      });
      c.microsoft(
        'GatherBlockQuantized',
        [c.weight([5, 16], 'uint8'), c.input([2, 3], 'int64'), c.weight([5, 2])],
        {
          gather_axis: 0,
          quantize_axis: 1,
          block_size: 16,
          bits: 4,
        },
      );
    });
  });
});
