import { describe, expect, it } from 'vitest';
import { kronecker, kroneckerCandidate, leftShape } from '../../../src/compress/methods/kronecker.js';
import { matrix, nearestKronecker } from '../../../src/linalg/index.js';
import { Random } from '../../../src/random/random.js';
import {
  layersOf,
  modelOf,
  numbers,
  opTypes,
  outputs,
  proposals,
  relativeError,
  withWeights,
  write,
} from '../forms/written.js';

const models = {
  'MatMul of rank 3': modelOf([3, 50, 36], (g, x, c) => g.op('MatMul', [x, c([36, 48])])),
  'Gemm with bias': modelOf([90, 36], (g, x, c) => g.op('Gemm', [x, c([48, 36]), c([48])], { transB: 1 })),
  '1 × 1 convolution': modelOf([2, 36, 7, 6], (g, x, c) => g.op('Conv', [x, c([48, 36, 1, 1]), c([48])])),
  'two uses': modelOf([3, 20, 36], (g, x, c) => {
    const w = c([36, 36]);
    return g.op('MatMul', [g.op('Tanh', [g.op('MatMul', [x, w])]), w]);
  }),
};

/** (A ⊗ B)[i, j] = A[⌊i / m₂⌋, ⌊j / n₂⌋] · B[i mod m₂, j mod n₂]. */
function kron(a: Float32Array, b: Float32Array, [m1, n1]: number[], [m2, n2]: number[]): Float32Array {
  const cols = n1! * n2!;
  return Float32Array.from({ length: m1! * m2! * cols }, (_, at) => {
    const [i, j] = [Math.floor(at / cols), at % cols];
    const left = a[Math.floor(i / m2!) * n1! + Math.floor(j / n2!)]!;
    return left * b[(i % m2!) * n2! + (j % n2!)]!;
  });
}

describe('leftShape', () => {
  it('divides both sizes and needs the fewest numbers', () => {
    for (const [rows, cols] of [
      [48, 36],
      [64, 64],
      [100, 27],
    ] as const) {
      const [m1, n1] = leftShape(rows, cols)!;
      expect([rows % m1, cols % n1]).toEqual([0, 0]);
      const count = (m: number, n: number) => m * n + (rows / m) * (cols / n);
      for (let m = 2; m < rows; m++) {
        for (let n = 2; n < cols; n++) {
          if (rows % m === 0 && cols % n === 0) expect(count(m1, n1)).toBeLessThanOrEqual(count(m, n));
        }
      }
    }
    expect(leftShape(7, 36)).toBeUndefined();
  });
});

describe('kronecker', () => {
  it.each(Object.entries(models))(
    'writes what it promises, without the weight: %s',
    async (_, { model, samples }) => {
      const found = await proposals(model, samples, [kronecker]);
      expect(found.length).toBeGreaterThan(1);
      for (const { layer, candidate } of found) {
        const promised = withWeights(model, [[layer.site, candidate.weight()]]);
        const written = write(model, [[layer.site, candidate]]);
        expect(opTypes(written)).not.toContain('Conv');
        const error = relativeError(await outputs(promised, samples), await outputs(written, samples));
        expect(error, candidate.label).toBeLessThan(1e-5);
      }
    },
  );

  it('runs on images of any size', async () => {
    const { model, samples } = models['1 × 1 convolution'];
    const [found] = await proposals(model, samples, [kronecker]);
    const open = write(model, [[found!.layer.site, found!.candidate]]);
    open.graph.inputs[0]!.type = { kind: 'tensor', dtype: 'float32', shape: [null, 36, null, null] };
    open.graph.outputs[0]!.type = { kind: 'tensor', dtype: 'float32' };
    const [y] = await outputs(open, samples);
    expect(y).toEqual((await outputs(write(model, [[found!.layer.site, found!.candidate]]), samples))[0]);
  });

  it('is the sum of Kronecker products, and finds one that is there', async () => {
    const { model } = modelOf([5, 24], (g, x, c) => g.op('MatMul', [x, c([24, 30])]));
    const [layer] = await layersOf(model, []);
    const random = new Random(5);
    const [left, right] = [
      [5, 4],
      [6, 6],
    ];
    const terms = [0, 1].map(() => kron(numbers(random, 20), numbers(random, 36), left, right));
    const sum = terms[0]!.map((v, i) => v + terms[1]![i]!);
    layer!.matrix.data.set(sum);
    const nearest = nearestKronecker(matrix(sum, 30, 24), [5, 4], 2);
    const parts = { left: nearest.left.map(a => a.data), right: nearest.right.map(b => b.data) };
    const found = kroneckerCandidate(layer!, [5, 4], 2, () => parts).weight();
    // int8 rounds to about one part in 250 of a factor's largest number.
    expect(relativeError([sum], [found])).toBeLessThan(0.02);
    const one = kroneckerCandidate(layer!, [5, 4], 1, () => parts).weight();
    const [a, b] = [parts.left[0]!, parts.right[0]!].map(part => Float32Array.from(part)) as [
      Float32Array,
      Float32Array,
    ];
    expect(relativeError([kron(a, b, left, right)], [one])).toBeLessThan(0.02);
  });

  it('errs less with its left factors fitted to the inputs, and less with more terms', async () => {
    for (const { model, samples } of [models['MatMul of rank 3'], models['1 × 1 convolution']]) {
      const [layer] = await layersOf(model, samples);
      const [blind] = await layersOf(model, []);
      const fitted = [...kronecker.propose(layer!)].map(candidate => layer!.error(candidate.weight()));
      const plain = [...kronecker.propose(blind!)].map(candidate => layer!.error(candidate.weight()));
      for (const [i, error] of fitted.entries()) {
        expect(error).toBeLessThan(plain[i]!);
        if (i > 0) expect(error).toBeLessThan(fitted[i - 1]!);
      }
    }
  });

  it('leaves alone what it cannot run', async () => {
    for (const { model, samples } of [
      modelOf([2, 36, 7, 6], (g, x, c) => g.op('Conv', [x, c([48, 36, 3, 3])])),
      modelOf([2, 36, 7, 6], (g, x, c) => g.op('Conv', [x, c([48, 36, 1, 1])], { strides: [2, 2] })),
      modelOf([2, 36, 7, 6], (g, x, c) => g.op('Conv', [x, c([48, 18, 1, 1])], { group: 2 })),
      modelOf([40, 23], (g, x, c) => g.op('Gemm', [x, c([23, 29])])),
    ]) {
      expect(await proposals(model, samples, [kronecker])).toEqual([]);
    }
  });
});
