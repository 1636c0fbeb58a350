import { describe, it } from 'vitest';
import { type Case, checkGradients } from './check.js';
import { gelu, tanhGelu } from './formulas.js';
import { Random } from './random.js';

const MS = 'com.microsoft';
const rowsOf3 = (x: Float64Array): number[][] =>
  Array.from({ length: x.length / 3 }, (_, i) => [...x.slice(3 * i, 3 * i + 3)]);

const CASES: Record<string, Case> = {
  FusedMatMul: {
    variables: [{ dims: [2, 3, 2] }, { dims: [2, 4, 3] }],
    build: (b, xs) => b.op('FusedMatMul', xs, { transA: 1, transB: 1, alpha: 0.3 }, MS),
    truth: 'float64',
  },
  FusedConv: {
    variables: [{ dims: [1, 2, 4, 4] }, { dims: [3, 2, 3, 3] }, { dims: [3] }],
    build: (b, xs) =>
      b.op('FusedConv', xs, { kernel_shape: [3, 3], activation: 'LeakyRelu', activation_params: [0.5] }, MS),
    truth: 'multilinear',
  },
  FusedGemm: {
    variables: [{ dims: [2, 3] }, { dims: [3, 2] }, { dims: [2] }],
    build: (b, xs) => b.op('FusedGemm', xs, { activation: 'Relu' }, MS),
    truth: 'multilinear',
  },
  Gelu: {
    variables: [{ dims: [7] }],
    build: (b, xs) => b.op('Gelu', xs, {}, MS),
    truth: x => [x!.map(gelu)],
  },
  BiasGelu: {
    variables: [{ dims: [2, 3] }, { dims: [3] }],
    build: (b, xs) => b.op('BiasGelu', xs, {}, MS),
    truth: (x, bias) => [x!.map((v, i) => gelu(v + bias![i % 3]!))],
  },
  FastGelu: {
    variables: [{ dims: [7] }],
    build: (b, xs) => b.op('FastGelu', xs, {}, MS),
    truth: x => [x!.map(tanhGelu)],
  },
  QuickGelu: {
    variables: [{ dims: [7] }],
    build: (b, xs) => b.op('QuickGelu', xs, { alpha: 1.5 }, MS),
    truth: x => [x!.map(v => v / (1 + Math.exp(-1.5 * v)))],
  },
  SkipLayerNormalization: {
    variables: [{ dims: [2, 2, 3] }, { dims: [2, 2, 3] }, { dims: [3] }, { dims: [3] }],
    build: (b, xs) => b.op('SkipLayerNormalization', xs, { epsilon: 1e-2 }, MS),
    truth: (x, skip, gamma, beta) => [
      rowsOf3(x!.map((v, i) => v + skip![i]!)).flatMap(row => {
        const mean = (row[0]! + row[1]! + row[2]!) / 3;
        const variance = row.reduce((a, v) => a + (v - mean) ** 2, 0) / 3;
        return row.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-2)) * gamma![i]! + beta![i]!);
      }),
    ],
  },
  SkipSimplifiedLayerNormalization: {
    variables: [{ dims: [2, 2, 3] }, { dims: [2, 2, 3] }, { dims: [3] }],
    build: (b, xs) => b.op('SkipSimplifiedLayerNormalization', xs, { epsilon: 1e-2 }, MS),
    truth: (x, skip, gamma) => [
      rowsOf3(x!.map((v, i) => v + skip![i]!)).flatMap(row => {
        const root = Math.sqrt(row.reduce((a, v) => a + v * v, 0) / 3 + 1e-2);
        return row.map((v, i) => (v / root) * gamma![i]!);
      }),
    ],
  },
};

describe("gradients of ONNX Runtime's own operators", () => {
  it.each(Object.entries(CASES))('%s', async (_, test) => {
    await checkGradients(test, new Random(1));
  });
});

describe('gradients of the losses that are operators', () => {
  it.each(['none', 'sum', 'mean'])('SoftmaxCrossEntropyLoss, reduction %s', async reduction => {
    const logSoftmax = (row: number[]): number[] => {
      const total = Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0));
      return row.map(v => v - total);
    };
    const labels = [2, 0, 1];
    const weights = [0.5, 1, 2];
    await checkGradients(
      {
        variables: [{ dims: [3, 3] }],
        build: (b, [x]) => {
          const weight = b.concat(
            weights.map(w => b.reshape(b.scalar(w), [1])),
            0,
          );
          return b.op('SoftmaxCrossEntropyLoss', [x!, b.ints(labels), weight], {
            reduction,
            ignore_index: 1,
          });
        },
        truth: x => {
          const losses = labels.map((label, i) =>
            label === 1 ? 0 : -weights[label]! * logSoftmax([...x!.slice(3 * i, 3 * i + 3)])[label]!,
          );
          const sum = losses.reduce((a, v) => a + v, 0);
          return [reduction === 'none' ? losses : [reduction === 'sum' ? sum : sum / 2.5]];
        },
      },
      new Random(2),
    );
  });
});

describe('gradients of rarer normalizations', () => {
  it.each([1, 2])('LpNormalization, p %i', async p => {
    await checkGradients(
      {
        variables: [{ dims: [2, 3] }],
        build: (b, xs) => b.op('LpNormalization', xs, { p, axis: 1 }),
        truth: 'float64',
      },
      new Random(3),
    );
  });

  it('LRN', async () => {
    await checkGradients(
      {
        variables: [{ dims: [1, 4, 2] }],
        build: (b, [x]) => b.op('LRN', [b.unsqueeze(x!, [3])], { size: 3, alpha: 0.5, beta: 0.6, bias: 1.2 }),
        truth: x => {
          const at = (c: number, l: number): number => (c < 0 || c > 3 ? 0 : x![2 * c + l]!);
          return [
            x!.map((v, i) => {
              const [c, l] = [Math.floor(i / 2), i % 2];
              const sum = at(c - 1, l) ** 2 + at(c, l) ** 2 + at(c + 1, l) ** 2;
              return v / (1.2 + (0.5 / 3) * sum) ** 0.6;
            }),
          ];
        },
      },
      new Random(4),
    );
  });

  it('MeanVarianceNormalization', async () => {
    await checkGradients(
      {
        variables: [{ dims: [1, 2, 5] }],
        build: (b, xs) => b.op('MeanVarianceNormalization', xs, { axes: [0, 2] }),
        truth: x => [
          [0, 1].flatMap(c => {
            const row = x!.slice(5 * c, 5 * c + 5);
            const mean = row.reduce((a, v) => a + v, 0) / 5;
            const deviation = Math.sqrt(row.reduce((a, v) => a + (v - mean) ** 2, 0) / 5);
            return [...row].map(v => (v - mean) / deviation);
          }),
        ],
      },
      new Random(5),
    );
  });
});
