import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { matmul, matrix, singularValues } from '../../../src/linalg/index.js';
import { thresholded } from '../../../src/methods/penalties/nuclear.js';
import { quantizationAware } from '../../../src/methods/quantized/index.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { exportForInference } from '../../../src/nn/index.js';
import { Random } from '../../../src/random/random.js';
import {
  CheckpointFolder,
  exportTrained,
  sgd,
  type TrainingMethod,
  type TrainOptions,
  train,
} from '../../../src/train/index.node.js';
import { options, tinyNet, trainTiny } from '../quantized/tiny.js';

const make = (...texts: string[]): Promise<TrainingMethod[]> => combine(texts.map(text => readMethod(text)));

/** The weights of the convolution and the linear layer in the middle after one step of 0.1 without momentum. */
async function oneStep(...texts: string[]): Promise<{ conv: Float64Array; hidden: Float64Array }> {
  const changes: Partial<TrainOptions> = { optimizer: sgd(), weightDecay: 0, learningRate: 0.1, updates: 1 };
  const { network } = await train(options(await make(...texts), changes));
  const [conv, hidden] = ['conv.weight', 'hidden.weight'].map(name => network.tensor(name).toFloat64());
  return { conv: conv!, hidden: hidden! };
}

const close = (actual: Iterable<number>, expected: readonly number[]): void => {
  for (const [i, value] of [...actual].entries()) expect(value).toBeCloseTo(expected[i]!, 5);
};

it('L1 thresholds each weight after the step: sign(w)·max(|w| − ηλ, 0)', async () => {
  const [plain, found] = [await oneStep(), await oneStep('l1:strength=0.5')];
  for (const name of ['conv', 'hidden'] as const) {
    const expected = [...plain[name]].map(w => Math.sign(w) * Math.max(Math.abs(w) - 0.05, 0));
    close(found[name], expected);
    expect([...found[name]].filter(w => w === 0).length).toBe(expected.filter(w => w === 0).length);
    expect(expected).toContain(0);
  }
});

it.each([
  ['outputs', (i: number, inner: number) => Math.floor(i / inner)],
  ['inputs', (i: number, inner: number) => i % inner],
] as const)('the group lasso shrinks and removes whole %s', async (groups, groupOf) => {
  const strength = 1.2;
  const plain = (await oneStep()).hidden;
  const found = (await oneStep(`group-lasso:strength=${strength},groups=${groups}`)).hidden;
  // (9, 24)
  const members = new Map<number, number[]>();
  plain.forEach((_, i) => {
    const group = groupOf(i, 24);
    members.set(group, [...(members.get(group) ?? []), i]);
  });
  const gone = [...members.values()].map(indices => {
    const norm = Math.hypot(...indices.map(i => plain[i]!));
    const factor = Math.max(0, 1 - (0.1 * strength * Math.sqrt(indices.length)) / norm);
    close(
      indices.map(i => found[i]!),
      indices.map(i => factor * plain[i]!),
    );
    return factor === 0;
  });
  expect(gone).toContain(true);
  expect(gone).toContain(false);
});

it('singular value thresholding is the proximal map: its optimality conditions hold', () => {
  const random = new Random(1, 'matrix');
  for (const [rows, cols, t] of [
    [7, 5, 0.8],
    [4, 9, 2],
    [6, 6, 100],
  ] as const) {
    const w = matrix(
      Float64Array.from({ length: rows * cols }, () => random.normal()),
      rows,
      cols,
    );
    const x = thresholded(w, t);
    const rest = matrix(
      Float64Array.from(w.data, (v, i) => v - x.data[i]!),
      rows,
      cols,
    );
    // (W − X)/t is a subgradient of the nuclear norm at X.
    expect(singularValues(rest)[0]!).toBeLessThanOrEqual(t * (1 + 1e-12));
    const inner = matmul(rest, x, { transposeB: true });
    const trace = Array.from({ length: rows }, (_, i) => inner.data[i * (rows + 1)]!).reduce((a, b) => a + b);
    const norm = singularValues(x).reduce((a, b) => a + b, 0);
    expect(trace).toBeCloseTo(t * norm, 9);
  }
});

it('the nuclear penalty thresholds by ηλ for each update since the last time', async () => {
  const plain = await oneStep();
  const found = await oneStep('nuclear:strength=3,interval=1');
  close(found.hidden, [...thresholded(matrix(plain.hidden, 9, 24), 0.3).data]);
  close(found.conv, [...thresholded(matrix(plain.conv, 6, 36), 0.3).data]);
  // Ten updates at one rate, decomposed at the last: ten times as much is gone.
  const seen: number[] = [];
  const watcher: TrainingMethod = {
    name: 'watcher',
    afterStep(run) {
      seen.push(singularValues(matrix(run.read('hidden.weight').toFloat64(), 9, 24)).at(-1)!);
    },
  };
  const methods = [...(await make('nuclear:strength=2,interval=10')), watcher];
  await train(options(methods, { updates: 10, learningRate: 0.05, weightDecay: 0 }));
  expect(seen.slice(0, 9).every(value => value > 0.01)).toBe(true);
  expect(seen[9]).toBeLessThan(1e-6);
});

it('the orthogonality penalty is λ/4 ‖WᵀW − I‖², by finite differences', async () => {
  const strength = 0.3;
  const start = tinyNet();
  const [plain, found] = [await oneStep(), await oneStep(`orthogonality:strength=${strength}`)];
  for (const [name, rows, cols] of [
    ['conv', 6, 36],
    ['hidden', 9, 24],
  ] as const) {
    const w = start.tensor(`${name}.weight`).toFloat64();
    const penalty = (data: Float64Array): number => {
      const a = matrix(data, rows, cols);
      const { data: gram } = matmul(a, a, { transposeB: true });
      return (strength / 4) * gram.reduce((sum, v, i) => sum + (v - Number(i % (rows + 1) === 0)) ** 2, 0);
    };
    for (const i of [0, 7, rows * cols - 1]) {
      const at = (step: number) => penalty(w.map((v, j) => (j === i ? v + step : v)));
      const slope = (at(1e-4) - at(-1e-4)) / 2e-4;
      expect((plain[name][i]! - found[name][i]!) / 0.1).toBeCloseTo(slope, 4);
    }
  }
});

it('with an interval, each gradient of the orthogonality penalty counts for all updates since the last', async () => {
  const rate = 0.1;
  const trained = async (text: string, updates: number): Promise<Float64Array> => {
    const changes = { optimizer: sgd(), weightDecay: 0, learningRate: rate, updates };
    return (await train(options(await make(...(text ? [text] : [])), changes))).network
      .tensor('hidden.weight')
      .toFloat64();
  };
  const strength = 0.02;
  // Two steps without it, and its first gradient at the third.
  const [before, plain] = [await trained('', 2), await trained('', 3)];
  expect(await trained(`orthogonality:strength=${strength},interval=3`, 2)).toEqual(before);
  const found = await trained(`orthogonality:strength=${strength},interval=3`, 3);
  const w = matrix(before, 9, 24);
  const gram = matmul(w, w, { transposeB: true });
  const excess = matrix(
    gram.data.map((v, i) => v - Number(i % 10 === 0)),
    9,
    9,
  );
  const gradient = matmul(excess, w).data;
  close(
    found,
    [...plain].map((v, i) => v - rate * 3 * strength * gradient[i]!),
  );
  expect(Math.max(...gradient.map(Math.abs)) * rate * strength).toBeGreaterThan(1e-4);
});

describe('quantization noise', () => {
  const layers = 'conv+hidden';

  it('of all weights is what quantized training computes, of none what plain training does', async () => {
    const [all] = await make(`quantization-noise:bits=3,rate=1,layers=${layers}`);
    const qat = quantizationAware({ bits: 3, inputBits: 0, layers: /^(conv|hidden)$/ });
    const [noisy, quantized] = [await trainTiny(all!, { updates: 4 }), await trainTiny(qat, { updates: 4 })];
    noisy.losses.forEach((loss, i) => {
      expect(loss).toBeCloseTo(quantized.losses[i]!, 5);
    });
    const [none] = await make(`quantization-noise:bits=3,rate=0,layers=${layers}`);
    const plain = await trainTiny({ name: 'nothing' }, { updates: 4 });
    expect((await trainTiny(none!, { updates: 4 })).losses).toEqual(plain.losses);
    expect(noisy.losses[0]).not.toBeCloseTo(plain.losses[0]!, 5);
  });

  it('leaves a network of plain weights', async () => {
    const methods = await make(`quantization-noise:layers=${layers}`);
    const { network } = await train(options(methods, { updates: 2 }));
    const model = exportTrained(network, methods);
    expect([...model.graph.nodes].map(({ opType }) => opType)).toEqual(
      [...exportForInference(tinyNet()).graph.nodes].map(({ opType }) => opType),
    );
  });
});

it.each([
  'l1:strength=0.01',
  'group-lasso:strength=0.01',
  'nuclear:strength=0.1,interval=7',
  'orthogonality',
  'orthogonality:interval=4',
  'quantization-noise',
])('%s goes on after an interruption as if there had been none', async text => {
  const whole = await train(options(await make(text), { updates: 20 }));
  const folder = await mkdtemp(join(tmpdir(), 'whittle-penalty-'));
  try {
    const checkpoints = { store: new CheckpointFolder(folder), resume: true };
    for (const stop of [10, Number.POSITIVE_INFINITY]) {
      const abort = new AbortController();
      const onProgress: TrainOptions['onProgress'] = ({ phase, done }) =>
        phase === 'train' && done === stop && abort.abort();
      const changes = { updates: 20, checkpoints, onProgress, signal: abort.signal };
      const { ended, network } = await train(options(await make(text), changes));
      if (stop === 10) expect(ended).toBe('aborted');
      else {
        for (const name of network.parameters.keys()) {
          expect(network.tensor(name).toFloat32()).toEqual(whole.network.tensor(name).toFloat32());
        }
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe('combinations', () => {
  it('penalties add up, and go with other families', async () => {
    const texts = ['l1', 'group-lasso', 'orthogonality', 'rigl:dense=none,interval=3'];
    const { evaluation } = await train(options(await make(...texts), { updates: 12 }));
    expect(Number.isFinite(evaluation!.loss)).toBe(true);
  });

  it('a masked weight stays zero under penalties', async () => {
    const methods = await make('l1', 'orthogonality', 'magnitude:at=0,dense=none,density=0.3');
    const { network } = await train(options(methods, { updates: 12 }));
    const zeros = network
      .tensor('hidden.weight')
      .toNumbers()
      .filter(value => value === 0);
    expect(zeros.length).toBeGreaterThan(0.5 * 9 * 24);
  });

  it.each([
    [['l1', 'l1'], /both decide the L1 penalty/],
    [['nuclear', 'rigl'], /both decide the masks/],
    [['quantization-noise', 'qat'], /both decide the numbers/],
  ])('not %s', async (texts, message) => {
    await expect(make(...texts)).rejects.toThrow(message);
  });
});
