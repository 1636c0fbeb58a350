import { expect, it } from 'vitest';
import { factorize, trainWithWarmStart } from '../../../src/methods/factorized/index.js';
import { type Logger, type LogRecord, type TrainOptions, train } from '../../../src/train/index.js';
import { expectClose } from '../../nn/close.js';
import { tinyNetwork, tinyTraining } from '../../train/tiny.js';

const options = (changes: Partial<TrainOptions>): TrainOptions =>
  tinyTraining({ methods: [], network: tinyNetwork(), ...changes });

it('a warm start goes on with rates, logs and counts where the dense part ended', async () => {
  const opened: number[] = [];
  const records: LogRecord[] = [];
  const log: Logger = {
    open: update => void opened.push(update),
    write: record => void records.push(record),
    flush() {},
    close() {},
  };
  const { network, updates } = await trainWithWarmStart(options({ epochs: 3, logs: [log] }), {
    epochs: 1,
    rank: { rank: 2 },
    layers: /^conv$/,
    onlySmaller: false,
  });
  const steps = records.filter(({ kind }) => kind === 'step');
  expect(updates).toBe(27);
  expect(opened).toEqual([0, 9]);
  expect(steps.map(({ update }) => update)).toEqual(Array.from({ length: 27 }, (_, i) => i + 1));
  // One cosine over both parts.
  steps.forEach(({ values, update }) => {
    expect(values.learning_rate).toBeCloseTo(0.05 * (1 + Math.cos((Math.PI * (update - 1)) / 27)), 6);
  });
  expect([...network.factorized.keys()]).toEqual(['conv']);
  expect(records.filter(({ kind }) => kind === 'evaluation').at(-1)!.values.accuracy).toBeGreaterThan(0.85);
});

it('the factors are the best approximation of what the dense part learned, at ranks that it chose', async () => {
  const policy = { rank: { energy: 0.6 }, layers: /^conv$/, onlySmaller: false };
  // No step moves anything once the dense part is over.
  const training = options({ learningRate: { at: ({ update }) => (update < 9 ? 0.1 : 0) }, weightDecay: 0 });
  const { network } = await trainWithWarmStart({ ...training, epochs: 2 }, { epochs: 1, ...policy });
  const { epochs: _, ...rest } = training;
  const { network: dense } = await train({ ...rest, updates: 9 });
  const { layers } = factorize(dense, policy);
  expect(layers[0]!.rank).toBeLessThan(3);
  for (const name of network.factorized.get('conv')!.factors) {
    expectClose(network.tensor(name), dense.tensor(name), 1e-6);
  }
});

it('refuses a dense part as long as the training', async () => {
  await expect(
    trainWithWarmStart(options({ epochs: 2 }), { epochs: 2, rank: { energy: 0.9 } }),
  ).rejects.toThrow(/does not fit into 2/);
});
