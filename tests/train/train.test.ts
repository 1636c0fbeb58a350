import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/datasets/index.js';
import { Tensor } from '../../src/graph/tensor.js';
import { exportForInference } from '../../src/nn/index.js';
import {
  CheckpointFolder,
  type CheckpointStore,
  MemoryLog,
  type TrainProgress,
  train,
} from '../../src/train/index.node.js';
import { expectClose } from '../nn/close.js';
import { run } from '../nn/run.js';
import { brightHalves, tinyNetwork, tinyTraining } from './tiny.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-train-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a training', () => {
  it('learns, and what it measured is what the exported model does', async () => {
    const seen: TrainProgress[] = [];
    const options = tinyTraining({ epochs: 12, onProgress: progress => seen.push(progress) });
    const { network, evaluation, best, ended, updates } = await train(options);
    expect(ended).toBe('done');
    expect(updates).toBe(108);
    expect(evaluation!.accuracy).toBeGreaterThan(0.9);
    expect(best!.value).toBeGreaterThanOrEqual(evaluation!.accuracy!);
    const { test } = options.data;
    const batch = await test!.batch(Array.from({ length: test!.length }, (_, i) => i));
    const { logits } = await run(exportForInference(network), { pixel_values: batch.pixel_values! });
    const scores = logits!.toFloat32();
    const right = batch
      .labels!.toNumbers()
      .filter((label, i) => Number(scores[2 * i + 1]! > scores[2 * i]!) === label);
    expect(right.length / test!.length).toBeCloseTo(evaluation!.accuracy!, 10);
    expect(seen.filter(({ phase }) => phase === 'train').map(({ done }) => done)).toEqual(
      Array.from({ length: 108 }, (_, i) => i + 1),
    );
    expect(seen.at(-1)).toMatchObject({ phase: 'evaluate', done: 60, total: 60 });
  });

  it('is the same again with the same seed, and another with another', async () => {
    const losses = async (seed: number) => {
      const log = new MemoryLog();
      await train(tinyTraining({ epochs: 1, seed, logs: [log] }));
      return log.records.map(({ values }) => values.loss);
    };
    const first = await losses(1);
    expect(await losses(1)).toEqual(first);
    expect(await losses(2)).not.toEqual(first);
  });

  it('goes on after an abort', async () => {
    const whole = new MemoryLog();
    await train(tinyTraining({ epochs: 2, logs: [whole] }));
    const store = new CheckpointFolder(folder);
    const log = new MemoryLog();
    for (const stop of [4, 11, 99]) {
      const abort = new AbortController();
      const result = await train(
        tinyTraining({
          epochs: 2,
          logs: [log],
          checkpoints: { store, resume: true },
          signal: abort.signal,
          onProgress: ({ phase, done }) => phase === 'train' && done === stop && abort.abort(),
        }),
      );
      expect(result.ended).toBe(stop === 99 ? 'done' : 'aborted');
      expect(result.updates).toBe(Math.min(stop, 18));
    }
    const figures = ({ records }: MemoryLog) =>
      records.map(({ kind, update, values }) => ({ kind, update, values }));
    expect(figures(log)).toEqual(figures(whole));
  });

  it('stops early, with the best weights', async () => {
    const log = new MemoryLog();
    const options = tinyTraining({
      epochs: 30,
      learningRate: 0,
      methods: [],
      weightDecay: 0,
      evaluation: { goal: { metric: 'loss', betterIs: 'lower' } },
      earlyStopping: { patience: 2, minimum: 10 },
      logs: [log],
    });
    const { ended, updates, best, network } = await train(options);
    // Nothing is learned at rate 0 but the running statistics.
    expect(ended).toBe('early');
    expect(updates).toBe(9 * 4);
    const losses = log.records.flatMap(({ kind, values }) => (kind === 'evaluation' ? [values.loss!] : []));
    expect(best!.value).toBe(Math.min(...losses));
    expect(best!.update).toBe(9 * (1 + losses.indexOf(best!.value)));
    expectClose(network.tensor('fc.weight'), options.network.tensor('fc.weight'), 1e-7);
  });

  it('evaluates what methods export: with an average that forgets at once, the weights', async () => {
    const evaluate = async (methods: Parameters<typeof tinyTraining>[0]) =>
      (await train(tinyTraining({ epochs: 1, ...methods }))).evaluation;
    const plain = await evaluate({ methods: [] });
    const { weightAverage } = await import('../../src/train/index.js');
    expect(await evaluate({ methods: [weightAverage({ decay: 0 })] })).toEqual(plain);
    expect(await evaluate({ methods: [weightAverage({ decay: 0.99, warmup: false })] })).not.toEqual(plain);
  });
});

describe('bad input', () => {
  it('settings and data that make no sense', async () => {
    const { test } = tinyTraining().data;
    await expect(train(tinyTraining({ updates: 3 }))).rejects.toThrow(/one of epochs and updates/);
    await expect(train(tinyTraining({ batchSize: 0.5 }))).rejects.toThrow(
      /batchSize must be positive and whole/,
    );
    await expect(train(tinyTraining({ epochs: -1 }))).rejects.toThrow(/epochs must be positive/);
    await expect(train(tinyTraining({ data: { train: brightHalves(0, 1), test: test! } }))).rejects.toThrow(
      /"train" is empty/,
    );
    await expect(train(tinyTraining({ data: { train: test!, test: brightHalves(0, 1) } }))).rejects.toThrow(
      /"test" is empty/,
    );
    await expect(train(tinyTraining({ batchSize: 999 }))).rejects.toThrow(
      /150 examples do not fill a batch of 999/,
    );
    const renamed = {
      ...test!,
      length: 60,
      fields: { images: test!.fields.pixel_values! },
      batch: test!.batch,
    };
    await expect(train(tinyTraining({ data: { train: renamed, test: test! } }))).rejects.toThrow(
      /"pixel_values".*It has images/,
    );
    const small = {
      ...test!,
      length: 60,
      fields: { pixel_values: { dtype: 'float32', shape: [1, 5, 6] } },
      batch: test!.batch,
    } as Dataset;
    await expect(train(tinyTraining({ data: { train: small, test: test! } }))).rejects.toThrow(
      /takes examples of float32 \[1, 6, 6\].*\[1, 5, 6\]/,
    );
    await expect(
      train(tinyTraining({ evaluation: { goal: { metric: 'top5', betterIs: 'higher' } } })),
    ).rejects.toThrow(/no "top5".*loss, accuracy/);
  });

  it('a label that is no class', async () => {
    const { train: data, test } = tinyTraining().data;
    const wrong: Dataset = {
      length: data.length,
      fields: data.fields,
      batch: async indices => ({
        ...(await data.batch(indices)),
        labels: Tensor.int64(Array.from(indices, i => i % 4)),
      }),
    };
    await expect(train(tinyTraining({ data: { train: wrong, test } }))).rejects.toThrow(
      /label [23] of example \d+ of the batch is not one of 2 classes/,
    );
  });

  it('data that are no numbers: the field and the example', async () => {
    const { train: data, test } = tinyTraining().data;
    const broken: Dataset = {
      length: data.length,
      fields: data.fields,
      batch: async indices => {
        const batch = await data.batch(indices);
        const pixels = batch.pixel_values!.toFloat32().slice();
        pixels[2 * 36 + 5] = Number.NaN;
        return { ...batch, pixel_values: Tensor.float32(batch.pixel_values!.dims, pixels) };
      },
    };
    await expect(train(tinyTraining({ data: { train: broken, test }, transforms: [] }))).rejects.toThrow(
      /became NaN at batch 1 .*example 2 of the batch holds NaN.*pixel_values.*Look at the data.*No checkpoint/s,
    );
  });

  it('a full disk: the error of the checkpoint, the earlier one intact, and logs closed', async () => {
    const store = new CheckpointFolder(folder);
    const closed: string[] = [];
    const log = { open: () => {}, write: () => {}, flush: () => {}, close: () => void closed.push('log') };
    const filling: CheckpointStore = {
      load: () => store.load(),
      loadWeights: name => store.loadWeights(name),
      saveWeights: (name, weights, notes) => store.saveWeights(name, weights, notes),
      save: checkpoint => {
        if (checkpoint.progress.runner.update < 4) return store.save(checkpoint);
        const full = new Tensor('float32', [1], {
          byteLength: 4,
          read: () => {
            throw Object.assign(new Error('write'), { code: 'ENOSPC' });
          },
        });
        return store.save({ ...checkpoint, states: new Map([['full', full]]) });
      },
    };
    const options = tinyTraining({ checkpoints: { store: filling, every: 2 }, logs: [log] });
    await expect(train(options)).rejects.toThrow(/could not be saved: the disk is full.*intact/s);
    expect(closed).toEqual(['log']);
    expect((await store.load())!.checkpoint.progress.runner.update).toBe(2);
  });

  it('numbers that overflow: update, parameter, and the last good checkpoint', async () => {
    const store = new CheckpointFolder(folder);
    const options = tinyTraining({
      clip: {},
      methods: [],
      learningRate: { at: ({ update }) => (update < 7 ? 0.1 : 1e38) },
      checkpoints: { store, every: 3 },
    });
    await expect(train(options)).rejects.toThrow(
      /(loss|gradient norm) became (NaN|-?Infinity) at batch (8|9|10) .*(conv|bn|fc|momentum).*Lower the learning rate.*update-00000006/s,
    );
    expect((await readdir(folder)).filter(name => name.startsWith('update')).sort()).toEqual([
      'update-00000003',
      'update-00000006',
    ]);
    expect((await store.load())!.checkpoint.progress.runner.update).toBe(6);
  });

  it('a checkpoint of something else', async () => {
    const store = new CheckpointFolder(folder);
    await train(
      tinyTraining({
        updates: 1,
        epochs: undefined as never,
        checkpoints: { store, settings: { depth: 3 } },
      }),
    );
    const resume = (
      changes: Parameters<typeof tinyTraining>[0],
      settings: Record<string, unknown> = { depth: 3 },
    ) => train(tinyTraining({ epochs: 1, checkpoints: { store, resume: true, settings }, ...changes }));
    await expect(resume({}, { depth: 4 })).rejects.toThrow(/began with depth = 3, and now it is 4/);
    await expect(resume({ seed: 12 })).rejects.toThrow(/seed 11/);
    await expect(resume({ evaluation: {} })).rejects.toThrow(
      /began with the highest accuracy as its goal, and now it is the lowest loss.*update-00000001.*same evaluation\.goal/s,
    );
    await expect(resume({ network: tinyNetwork(3) })).rejects.toThrow(/shape/);
    await expect(resume({ methods: [] })).rejects.toThrow(/state that this training does not have.*average/);
    const { adamW } = await import('../../src/train/index.js');
    await expect(resume({ optimizer: adamW() })).rejects.toThrow(/lacks a tensor.*first_moment/);
    await expect(resume({ data: { train: brightHalves(16, 1), test: brightHalves(60, 2) } })).rejects.toThrow(
      /began with 150 examples in batches of 16; now it is 16/,
    );
  });
});
