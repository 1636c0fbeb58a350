import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Dataset } from '../../src/datasets/index.js';
import { Tensor } from '../../src/graph/tensor.js';
import {
  CheckpointFolder,
  classification,
  type TrainingMethod,
  type TrainOptions,
  train,
} from '../../src/train/index.node.js';
import { brightHalves, tinyTraining } from './tiny.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-non-finite-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Two epochs of nine updates, of which nothing is measured but the loss. */
const plain = (changes: Partial<TrainOptions> = {}): TrainOptions =>
  tinyTraining({ epochs: 2, methods: [], clip: {}, weightDecay: 0, ...changes });
const untested = { evaluation: {}, data: { train: brightHalves(150, 1) } };

/** Makes the gradients of one update NaN. */
const poison = (at: number): TrainingMethod => ({
  name: 'poison',
  gradient: (context, _unit, gradient) =>
    context.b.mul(
      gradient,
      context.scalar('poison', ({ update }) => (update === at ? Number.NaN : 1)),
    ),
});

/** A test set one of whose images holds NaN. */
function broken(example: number): Dataset {
  const data = brightHalves(60, 2);
  return {
    length: data.length,
    fields: data.fields,
    batch: async indices => {
      const batch = await data.batch(indices);
      const pixels = batch.pixel_values!.toFloat32().slice();
      Array.from(indices).forEach((index, i) => {
        if (index === example) pixels[36 * i + 3] = Number.NaN;
      });
      return { ...batch, pixel_values: Tensor.float32(batch.pixel_values!.dims, pixels) };
    },
  };
}

it('a gradient that is NaN at the last update does not end as a trained network', async () => {
  await expect(train(plain({ ...untested, methods: [poison(18)] }))).rejects.toThrow(
    /weights have overflowed at batch 18 \(update 18\); the update of ".*" overflowed.*No checkpoint/s,
  );
  const store = new CheckpointFolder(folder);
  await expect(
    train(plain({ ...untested, methods: [poison(18)], checkpoints: { store, every: 5 } })),
  ).rejects.toThrow(/overflowed.*last good checkpoint is .*update-00000015/s);
});

it('nor does one before, where the loss shows it', async () => {
  await expect(train(plain({ ...untested, methods: [poison(17)] }))).rejects.toThrow(
    /the loss became NaN at batch 18 .*held it before, since an earlier update/,
  );
  await expect(train(plain({ ...untested, methods: [poison(17)], gradientNorm: true }))).rejects.toThrow(
    /the gradient norm became NaN at batch 17 /,
  );
});

it('a rate that is no number: its name and its update', async () => {
  const from = (bad: number) => ({ at: ({ update }: { update: number }) => (update === 4 ? bad : 0.1) });
  await expect(train(plain({ learningRate: from(Number.NaN) }))).rejects.toThrow(
    /the learning rate of update 5 is NaN.*schedule/s,
  );
  await expect(train(plain({ weightDecay: from(1e300) }))).rejects.toThrow(
    /weight decay of update 5 is 1e\+300/,
  );
});

it('an evaluation that is NaN: metric, step, example and the last good checkpoint', async () => {
  const data = { train: brightHalves(150, 1), test: broken(47) };
  const store = new CheckpointFolder(folder);
  const options = plain({ data, evaluation: { batchSize: 20 }, checkpoints: { store, every: 4 } });
  await expect(train(options)).rejects.toThrow(
    /the evaluation's loss became NaN at batch 9 \(update 9\); example 47 of the test set holds NaN.*"pixel_values".*Look at the data.*update-00000008/s,
  );
  expect((await store.load())!.checkpoint.progress.runner.update).toBe(8);
});

it('an objective that derives what is no number', async () => {
  const objective = { ...classification(), derive: () => ({ f1: Number.NaN }) };
  await expect(train(plain({ objective, evaluation: {} }))).rejects.toThrow(
    /the evaluation's f1 became NaN at batch 9 /,
  );
});

it('a checkpoint that an earlier version saved after an evaluation that was NaN', async () => {
  const store = new CheckpointFolder(folder);
  const options = (epochs: number) =>
    plain({ epochs, onProgress: () => {}, checkpoints: { store, resume: true } });
  const { checkpoint } = await train(options(1));
  const path = join(checkpoint!, 'progress.json');
  const progress = JSON.parse(await readFile(path, 'utf8'));
  const { best, bad } = progress.saved.best;
  progress.saved.evaluation = { loss: null, accuracy: 0.5 };
  progress.saved.best = { best: { ...best, value: null }, bad, mark: null };
  await writeFile(path, JSON.stringify(progress));
  const resumed = await train(options(2));
  expect(resumed.updates).toBe(18);
  expect(resumed.best).toMatchObject({ update: 18, metric: 'accuracy', value: resumed.evaluation!.accuracy });
});
