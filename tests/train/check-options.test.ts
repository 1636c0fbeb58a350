import { describe, expect, it } from 'vitest';
import { constant, reduceOnPlateau, type TrainOptions, train, warmup } from '../../src/train/index.js';
import { brightHalves, tinyTraining } from './tiny.js';

const store = {
  save: async () => '',
  load: async () => undefined,
  saveWeights: async () => '',
  loadWeights: async () => undefined,
};

describe('options that make no sense', () => {
  it.each<[RegExp, Partial<TrainOptions>]>([
    [/learningRate must be 0 or a positive number, not NaN/, { learningRate: Number.NaN }],
    [/learningRate .* not -0.1/, { learningRate: -0.1 }],
    [/weightDecay .* not Infinity/, { weightDecay: Number.POSITIVE_INFINITY }],
    [/logEvery must be positive and whole, not 0/, { logEvery: 0 }],
    [/checkpoints\.every must be positive and whole, not 2.5/, { checkpoints: { store, every: 2.5 } }],
    [/evaluation\.every must be positive, not NaN/, { evaluation: { every: Number.NaN } }],
    [
      /earlyStopping\.patience is a number of evaluations, not NaN/,
      { earlyStopping: { patience: Number.NaN } },
    ],
    [/earlyStopping\.minimum .* not -1/, { earlyStopping: { patience: 1, minimum: -1 } }],
  ])('%s', async (message, changes) => {
    await expect(train(tinyTraining(changes))).rejects.toThrow(message);
  });
});

describe('what waits for evaluations without a test set', () => {
  const plain = tinyTraining({ evaluation: {}, weightDecay: 0, data: { train: brightHalves(32, 1) } });
  it.each<[RegExp, Partial<TrainOptions>]>([
    [/earlyStopping follows evaluations.*data\.test/s, { earlyStopping: { patience: 3 } }],
    [/evaluation\.goal follows/, { evaluation: { goal: { metric: 'x', betterIs: 'higher' } } }],
    [
      /the schedule of learningRate follows/,
      { learningRate: warmup({ updates: 2 }, reduceOnPlateau({ base: 0.1 })) },
    ],
    [/the schedule of weightDecay follows/, { weightDecay: reduceOnPlateau({ base: 0.1 }) }],
  ])('%s', async (message, changes) => {
    await expect(train({ ...plain, ...changes })).rejects.toThrow(message);
  });

  it('is not what other schedules do', async () => {
    const { evaluation, best } = await train({ ...plain, epochs: 1, weightDecay: constant(1e-4) });
    expect([evaluation, best]).toEqual([undefined, undefined]);
  });
});

it('a metric that no evaluation measures is noticed before the first step', async () => {
  const seen: number[] = [];
  const goal = { metric: 'top5', betterIs: 'higher' } as const;
  const onProgress = ({ done }: { done: number }): void => void seen.push(done);
  await expect(train(tinyTraining({ evaluation: { goal }, onProgress }))).rejects.toThrow(
    /no "top5".*loss, accuracy/s,
  );
  expect(seen).toEqual([]);
});
