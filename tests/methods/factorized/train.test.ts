import { describe, expect, it } from 'vitest';
import { ImageArray } from '../../../src/datasets/index.js';
import { Tensor } from '../../../src/graph/index.js';
import { matrix, singularValues } from '../../../src/linalg/index.js';
import {
  factorDiagnostics,
  factorize,
  lowRank,
  lowRankEntry,
  weightFigures,
} from '../../../src/methods/factorized/index.js';
import { cifarResNet, exportForInference } from '../../../src/nn/index.js';
import { Random } from '../../../src/random/random.js';
import { classification, MemoryLog, sgd, type TrainOptions, train } from '../../../src/train/index.js';
import { run } from '../../nn/run.js';

/** Gray noise with a bright half, upper or lower. */
function halves(length: number, seed: number): ImageArray {
  const random = new Random(seed);
  const labels = Array.from({ length }, () => random.integer(2));
  const pixels = Uint8Array.from({ length: length * 64 }, (_, i) => {
    const bright = i % 64 < 32 === (labels[Math.floor(i / 64)] === 0);
    return random.integer(150) + (bright ? 100 : 0);
  });
  return new ImageArray({
    pixels,
    labels,
    shape: [1, 8, 8],
    normalization: { mean: [0.5], std: [0.25] },
    classes: ['upper', 'lower'],
  });
}

const training = (changes: Partial<TrainOptions>): TrainOptions => ({
  network: cifarResNet({ depth: 20, classes: 2, channels: 1, imageSize: 8, training: true }),
  data: { train: halves(64, 1) },
  objective: classification(),
  optimizer: sgd({ momentum: 0.9 }),
  learningRate: 0.05,
  weightDecay: 1e-3,
  batchSize: 32,
  updates: 8,
  session: { threads: 1 },
  ...changes,
});

describe('a low-rank ResNet-20', () => {
  it('learns, is measured, and leaves as ordinary ONNX', async () => {
    const log = new MemoryLog();
    const { network } = await train(
      training({
        methods: [lowRank({ rank: { parameters: 0.25 } }), factorDiagnostics({ every: 4 })],
        logs: [log],
      }),
    );
    expect(network.parameterCount()).toBeLessThan(
      0.25 * cifarResNet({ depth: 20, classes: 2, channels: 1 }).parameterCount(),
    );
    const losses = log.records.map(({ values }) => values.loss!);
    expect(losses.at(-1)!).toBeLessThan(0.5 * losses[0]!);
    const measured = log.records.filter(({ values }) => 'factors/nuclear' in values);
    expect(measured.map(({ update }) => update)).toEqual([4, 8]);
    for (const { values } of measured) {
      expect(values['factors/tightness']).toBeGreaterThan(0);
      expect(values['factors/tightness']).toBeLessThanOrEqual(1 + 1e-9);
      expect(values['factors/layer3.2.conv2/nuclear']).toBeLessThanOrEqual(
        values['factors/layer3.2.conv2/bound']!,
      );
    }
    const images = Tensor.float32(
      [3, 1, 8, 8],
      Array.from({ length: 192 }, (_, i) => Math.sin(i)),
    );
    const { logits } = await run(exportForInference(network), { pixel_values: images });
    expect(logits!.dims).toEqual([3, 2]);
    expect(logits!.toFloat32().every(Number.isFinite)).toBe(true);
  });

  it('gives the same losses in the blocked layout and in the standard one', async () => {
    const losses = await Promise.all(
      [true, false].map(async blockedLayout => {
        const log = new MemoryLog();
        await train(
          training({
            methods: [lowRank({ rank: { parameters: 0.3 } })],
            updates: 3,
            blockedLayout,
            logs: [log],
          }),
        );
        return log.records.map(({ values }) => values.loss!);
      }),
    );
    losses[0]!.forEach((loss, i) => {
      expect(loss / losses[1]![i]!).toBeCloseTo(1, 5);
    });
  });
});

describe('diagnostics', () => {
  it('are those of the product as formed', () => {
    const network = cifarResNet({ depth: 8, width: 0.5 });
    factorize(network, { rank: { scale: 0.3 }, init: 'plain' });
    const figures = weightFigures({ network, read: name => network.tensor(name), learningRate: 0.5 }, true);
    expect([...figures.keys()].sort()).toEqual(
      ['conv1', 'linear', ...[1, 2, 3].flatMap(s => [1, 2].map(c => `layer${s}.0.conv${c}`))].sort(),
    );
    const [u, v] = ['u', 'v'].map(name => network.tensor(`layer1.0.conv1.${name}.weight`)) as [
      Tensor,
      Tensor,
    ];
    const [rank, out] = [v.dims[0]!, 8];
    const [ud, vd] = [u.toFloat64(), v.toFloat64()];
    const product = Float64Array.from({ length: 24 * 24 }, (_, i) => {
      const [row, col] = [Math.floor(i / 24), i % 24];
      const [o, kh] = [Math.floor(row / 3), row % 3];
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += ud[(o * rank + k) * 3 + kh]! * vd[k * 24 + col]!;
      return sum;
    });
    expect(out * 3).toBe(24);
    const s = singularValues(matrix(product, 24, 24));
    const { frobenius, nuclear, stable_rank, effective_step, bound } = figures.get('layer1.0.conv1')!;
    const square = product.reduce((sum, x) => sum + x * x, 0);
    expect(frobenius).toBeCloseTo(Math.sqrt(square), 8);
    expect(nuclear).toBeCloseTo(
      s.reduce((a, b) => a + b, 0),
      8,
    );
    expect(stable_rank).toBeCloseTo(square / s[0]! ** 2, 8);
    expect(effective_step).toBeCloseTo(0.5 / square, 8);
    expect(bound).toBeCloseTo([...ud, ...vd].reduce((sum, x) => sum + x * x, 0) / 2, 8);
  });

  it('the bound is tight right after spectral initialization', () => {
    const network = cifarResNet({ depth: 8 });
    factorize(network, { rank: { scale: 0.2 } });
    for (const { tightness } of weightFigures({
      network,
      read: name => network.tensor(name),
      learningRate: 1,
    }).values()) {
      expect(tightness).toBeCloseTo(1, 5);
    }
  });
});

it('the entry makes the method that its settings say', () => {
  const { settings, create } = lowRankEntry;
  const method = create({
    rule: 'scale',
    amount: 0.1,
    init: 'plain',
    decay: 'none',
    strength: 1,
    convolution: 'channel',
    layers: '',
    multipleOf: 1,
  });
  const network = cifarResNet({ depth: 8, training: true });
  method.prepare!(network);
  expect([...network.factorized.values()].map(({ form }) => form)).toEqual(Array(6).fill('channel'));
  expect(method.replacesWeightDecay!(network.parameter('layer1.0.conv1.u.weight'))).toBe(true);
  expect(method.replacesWeightDecay!(network.parameter('linear.weight'))).toBe(false);
  expect(method.penalty).toBeUndefined();
  expect(settings.init.parse('other')).toBeUndefined();
});
