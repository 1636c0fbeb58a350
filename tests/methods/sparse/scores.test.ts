import { expect, it } from 'vitest';
import type { Batch } from '../../../src/datasets/index.js';
import { arrayDataset } from '../../../src/datasets/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { graspScores } from '../../../src/methods/sparse/grasp.js';
import { drawPerClass } from '../../../src/methods/sparse/samples.js';
import { snipScores } from '../../../src/methods/sparse/snip.js';
import { linear, mlp, Network, Scope } from '../../../src/nn/index.js';
import { adamW, type TrainingRun, train, transcription } from '../../../src/train/index.js';
import { images, numbers, tinySparse } from './tiny.js';

/** 36 → tanh 4 → 2 in float64: cross-entropy of logits / T, and its gradient by the two weights. */
function reference(batch: Batch, temperature: number) {
  const x = numbers(batch.input!);
  const labels = numbers(batch.labels!);
  const rows = labels.length;
  return (w1: number[], b1: number[], w2: number[], b2: number[]): [number[], number[]] => {
    const [g1, g2] = [w1.map(() => 0), w2.map(() => 0)];
    for (let n = 0; n < rows; n++) {
      const at = (i: number): number => x[36 * n + i]!;
      const hidden = b1.map((bias, j) => {
        let sum = bias;
        for (let i = 0; i < 36; i++) sum += w1[36 * j + i]! * at(i);
        return Math.tanh(sum);
      });
      const scores = b2.map((bias, k) => {
        let sum = bias;
        for (let j = 0; j < 4; j++) sum += w2[4 * k + j]! * hidden[j]!;
        return sum / temperature;
      });
      const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
      const delta = scores.map(
        (score, k) => (Math.exp(score) / total - Number(labels[n] === k)) / (rows * temperature),
      );
      delta.forEach((d, k) => {
        for (let j = 0; j < 4; j++) g2[4 * k + j]! += d * hidden[j]!;
      });
      hidden.forEach((h, j) => {
        const back = (delta[0]! * w2[j]! + delta[1]! * w2[4 + j]!) * (1 - h * h);
        for (let i = 0; i < 36; i++) g1[36 * j + i]! += back * at(i);
      });
    }
    return [g1, g2];
  };
}

/** Looks at a training before its first step. */
async function before(look: (run: TrainingRun) => Promise<void>): Promise<void> {
  const network = mlp({
    widths: [36, 4, 2],
    inputShape: [1, 6, 6],
    activation: 'tanh',
    training: true,
    seed: 1,
  });
  let looked = false;
  const watcher = {
    name: 'watcher',
    async started(run: TrainingRun) {
      await look(run);
      looked = true;
    },
  };
  await train(tinySparse([watcher], { network, updates: 1 }));
  expect(looked).toBe(true);
}

const parameters = (run: TrainingRun): [number[], number[], number[], number[]] => [
  numbers(run.read('0.weight')),
  numbers(run.read('0.bias')),
  numbers(run.read('2.weight')),
  numbers(run.read('2.bias')),
];

const relativeError = (found: Float32Array, expected: readonly number[]): number => {
  const norm = Math.hypot(...expected);
  return Math.hypot(...expected.map((value, i) => value - found[i]!)) / norm;
};

it('SNIP: |g·w|', () =>
  before(async run => {
    const batch = await images(96, 1).batch([3, 1, 4, 1, 5, 9, 2, 6]);
    const [w1, b1, w2, b2] = parameters(run);
    const gradients = reference(batch, 1)(w1, b1, w2, b2);
    const layers = ['0.weight', '2.weight'].map(name => run.network.parameter(name));
    const scores = await snipScores(run, layers, batch);
    [w1, w2].forEach((weights, n) => {
      expect(
        relativeError(
          scores[n]!,
          weights.map((w, i) => Math.abs(w * gradients[n]![i]!)),
        ),
      ).toBeLessThan(1e-5);
    });
  }));

it('GraSP: θ·Hg, against differences of gradients in float64', () =>
  before(async run => {
    // More examples than are differentiated at once.
    const batch = await images(96, 1).batch(Array.from({ length: 150 }, (_, i) => (7 * i) % 96));
    for (const temperature of [1, 200]) {
      const gradient = reference(batch, temperature);
      const [w1, b1, w2, b2] = parameters(run);
      const [g1, g2] = gradient(w1, b1, w2, b2);
      const step = 1e-4 / Math.hypot(...g1, ...g2);
      const moved = (sign: number) =>
        gradient(
          w1.map((w, i) => w + sign * step * g1[i]!),
          b1,
          w2.map((w, i) => w + sign * step * g2[i]!),
          b2,
        );
      const [up, down] = [moved(1), moved(-1)];
      const layers = ['0.weight', '2.weight'].map(name => run.network.parameter(name));
      const scores = await graspScores(run, layers, batch, temperature);
      [w1, w2].forEach((weights, n) => {
        const expected = weights.map((w, i) => (w * (up[n]![i]! - down[n]![i]!)) / (2 * step));
        expect(relativeError(scores[n]!, expected)).toBeLessThan(1e-4);
      });
    }
  }));

it('as many samples of each class, the same for the same seed', () =>
  before(async run => {
    const labels = numbers((await drawPerClass(run, 10)).labels!);
    expect(labels).toHaveLength(20);
    expect(labels.filter(label => label === 0)).toHaveLength(10);
    const again = await drawPerClass(run, 10);
    expect(numbers(again.labels!)).toEqual(labels);
  }));

it('SNIP and GraSP sum over examples that a network takes one at a time', async () => {
  const found: (readonly Float32Array[])[] = [];
  for (const batch of ['batch', 1] as const) {
    const network = new Network({ training: true, seed: 4 });
    const scope = new Scope(network, '');
    const x = network.input('input', 'float32', [batch, 1, 6, 6]);
    const flat = scope.reshape(x, -1, 36);
    network.output('logits', linear(scope.at('head'), flat, { inFeatures: 36, outFeatures: 2 }));
    const watcher = {
      name: 'watcher',
      async started(run: TrainingRun) {
        const examples = await images(96, 1).batch([3, 1, 4, 1, 5, 9]);
        const layers = [run.network.parameter('head.weight')];
        found.push([
          ...(await snipScores(run, layers, examples)),
          ...(await graspScores(run, layers, examples, 1)),
        ]);
      },
    };
    await train(tinySparse([watcher], { network, updates: 1, batchSize: 1, data: { train: images(8, 1) } }));
  }
  for (const n of [0, 1]) expect(relativeError(found[1]![n]!, [...found[0]![n]!])).toBeLessThan(1e-5);
});

/** Lines of an open number of steps, each read from three features; with or without a softmax at the end. */
function reader(softmax: boolean): Network {
  const network = new Network({ training: true, seed: 1 });
  const scope = new Scope(network, '');
  const x = network.input('x', 'float32', ['line.0', 'line.1', 3]);
  const hidden = scope.op('Tanh', [linear(scope.at('hidden'), x, { inFeatures: 3, outFeatures: 6 })]);
  const logits = linear(scope.at('head'), hidden, { inFeatures: 6, outFeatures: 4 });
  network.output('scores', softmax ? scope.op('Softmax', [logits]) : logits);
  return network;
}

it.each(['snip', 'grasp'])('%s takes sequences of open length, and scores behind a softmax', async name => {
  const x = Tensor.float32(
    [2, 5, 3],
    Array.from({ length: 30 }, (_, i) => Math.sin(7 * i)),
  );
  const data = arrayDataset({ x, labels: Tensor.int64([1, 3, 2, 2, 0, 0], [2, 3]) });
  const masks = [false, true].map(async softmax => {
    const found: number[][] = [];
    const watcher = {
      name: 'watcher',
      started(run: TrainingRun) {
        found.push(...['hidden', 'head'].map(layer => numbers(run.read(`mask/${layer}.weight`))));
      },
    };
    await train({
      network: reader(softmax),
      data: { train: data },
      objective: transcription({ logits: 'scores' }),
      optimizer: adamW(),
      methods: [...(await combine([readMethod(`${name}:density=0.5,dense=none,samples=2`)])), watcher],
      learningRate: 0.1,
      batchSize: 1,
      updates: 1,
      session: { threads: 1 },
    });
    return found;
  });
  const [plain, behind] = await Promise.all(masks);
  expect(plain!.flat().filter(place => place === 1)).toHaveLength(21);
  expect(behind).toEqual(plain);
});
