import { describe, expect, it } from 'vitest';
import {
  type Initializer,
  kaimingNormal,
  kaimingUniform,
  normal,
  orthogonal,
  truncatedNormal,
  uniformFanIn,
  xavierNormal,
  xavierUniform,
} from '../../src/nn/initializers.js';
import { cifarResNet } from '../../src/nn/models/cifar-resnet.js';
import { fansOf } from '../../src/nn/parameter.js';
import { Random } from '../../src/random/random.js';

const draw = (initializer: Initializer, dims: readonly number[], seed = 0): Float32Array =>
  initializer({ ...fansOf(dims), dims }, new Random(seed));

interface Moments {
  readonly mean: number;
  readonly std: number;
  readonly kurtosis: number;
  readonly largest: number;
}

function moments(data: Float32Array): Moments {
  const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
  const moment = (k: number) => data.reduce((sum, x) => sum + (x - mean) ** k, 0) / data.length;
  const variance = moment(2);
  return {
    mean,
    std: Math.sqrt(variance),
    kurtosis: moment(4) / variance ** 2,
    largest: data.reduce((max, x) => Math.max(max, Math.abs(x)), 0),
  };
}

// (out, in, kernel): fan in 40 × 9, fan out 80 × 9.
const DIMS = [80, 40, 3, 3];
const [IN, OUT] = [360, 720];
const SIZE = 28_800;

// Deviations as PyTorch's documentation of torch.nn.init gives them.
const EXPECTED: readonly (readonly [string, Initializer, number, 'normal' | 'uniform'])[] = [
  ['kaiming normal', kaimingNormal(), Math.sqrt(2 / IN), 'normal'],
  ['kaiming normal, fan out', kaimingNormal({ fan: 'out' }), Math.sqrt(2 / OUT), 'normal'],
  ['kaiming uniform', kaimingUniform(), Math.sqrt(2 / IN), 'uniform'],
  [
    'kaiming uniform, leaky',
    kaimingUniform({ nonlinearity: { leakyRelu: 2 } }),
    Math.sqrt(2 / 5 / IN),
    'uniform',
  ],
  ['kaiming normal, tanh', kaimingNormal({ nonlinearity: 'tanh' }), 5 / 3 / Math.sqrt(IN), 'normal'],
  ['xavier normal', xavierNormal(), Math.sqrt(2 / (IN + OUT)), 'normal'],
  ['xavier uniform', xavierUniform(2), 2 * Math.sqrt(2 / (IN + OUT)), 'uniform'],
  ['PyTorch default', uniformFanIn, 1 / Math.sqrt(3 * IN), 'uniform'],
  ['normal', normal(0.02), 0.02, 'normal'],
];

describe('initializers', () => {
  it.each(EXPECTED)('%s has its deviation and shape', (_name, initializer, std, kind) => {
    const found = moments(draw(initializer, DIMS));
    // Standard errors of mean, deviation and kurtosis over SIZE draws, times four.
    expect(Math.abs(found.mean)).toBeLessThan((4 * std) / Math.sqrt(SIZE));
    expect(Math.abs(found.std / std - 1)).toBeLessThan(4 * Math.sqrt(1 / (2 * SIZE)));
    const kurtosis = kind === 'normal' ? 3 : 9 / 5;
    expect(Math.abs(found.kurtosis - kurtosis)).toBeLessThan(4 * Math.sqrt(24 / SIZE));
    if (kind === 'uniform') expect(found.largest).toBeLessThanOrEqual(Math.fround(Math.sqrt(3) * std));
  });

  it('truncated normal is cut at two deviations', () => {
    const found = moments(draw(truncatedNormal(0.5), DIMS));
    expect(found.largest).toBeLessThanOrEqual(1);
    expect(found.largest).toBeGreaterThan(0.99);
    // Variance of a standard normal cut at ±2: 1 − 4 φ(2) / (2 Φ(2) − 1).
    expect(found.std / 0.5).toBeCloseTo(Math.sqrt(1 - (4 * 0.05399096651318806) / 0.9544997361036416), 2);
  });

  it.each([
    [5, 12],
    [12, 5],
    [6, 6],
  ])('orthogonal %i × %i', (rows, columns) => {
    const w = draw(orthogonal(2), [rows, columns]);
    const rowsFirst = rows <= columns;
    const [count, length] = rowsFirst ? [rows, columns] : [columns, rows];
    const at = (k: number, i: number) => (rowsFirst ? w[k * columns + i]! : w[i * columns + k]!);
    for (let a = 0; a < count; a++) {
      for (let b = 0; b <= a; b++) {
        let dot = 0;
        for (let i = 0; i < length; i++) dot += at(a, i) * at(b, i);
        expect(dot).toBeCloseTo(a === b ? 4 : 0, 5);
      }
    }
  });

  it('depend on the seed and the name, not on what else the network has', () => {
    const bytes = (depth: number, seed: number) =>
      cifarResNet({ depth, seed }).tensor('layer1.0.conv1.weight').bytes();
    expect(bytes(8, 1)).toEqual(bytes(20, 1));
    expect(bytes(8, 1)).not.toEqual(bytes(8, 2));
  });
});
