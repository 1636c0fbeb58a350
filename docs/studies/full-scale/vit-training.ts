/**
 * How catid trained vision transformers on CIFAR-10 (github.com/catid/cifar10deepspeed, 2024): AdamW, batches of 1,024,
 * 300 epochs, cosine annealing with warm restarts.
 */
import { loadCifar10 } from 'whittle-nn/datasets/node';
import type { Network } from 'whittle-nn/nn';
import {
  adamW,
  type ConfiguredTraining,
  choice,
  classification,
  cosine,
  integer,
  number,
  randomFlip,
  type Schedule,
  text,
  type ValuesOf,
  warmup,
} from 'whittle-nn/train';

export const vitSettings = {
  data: text('cifar-10-batches-bin', 'folder of the .bin files'),
  epochs: number(300, { min: 0.001 }),
  batchSize: integer(1024, { min: 1 }),
  learningRate: number(9.18e-4, { min: 0 }),
  weightDecay: number(1.5e-5, { min: 0 }),
  warmup: integer(5, { min: 0, description: 'updates until the rate is whole' }),
  restart: integer(295, { min: 0, description: 'updates until the rate restarts; 0 for one long cosine' }),
  provider: choice('cuda', ['cuda', 'cpu']),
};

export const VIT_NOTES = [
  'The source says five epochs of warm-up and means 300 − 5 epochs until a restart, but gives the schedule to DeepSpeed, which moves it on with each update: as its code reads, both numbers count updates. --set warmup=245 --set restart=0 is what it says.',
  'The source reports the best test accuracy of all epochs and stops after 50 without a better one; here the last epoch counts, with the rate at the end of its cosine.',
  'The source also turns half of the images by right angles or not and changes the brightness of a fifth; here they are mirrored only. It trains in half precision.',
];

/** Cosines from the whole rate to 0, one after another; Loshchilov & Hutter, "SGDR", ICLR 2017. */
function restarting(base: number, period: number): Schedule {
  const once = cosine({ base });
  return {
    at: moment => once.at({ ...moment, update: moment.update % period, updates: period }),
  };
}

export function vitTraining(
  network: Network,
  values: ValuesOf<typeof vitSettings>,
  seed: number,
): ConfiguredTraining {
  const { data, epochs, batchSize, learningRate, weightDecay, warmup: start, restart, provider } = values;
  const train = loadCifar10(data, 'train');
  const updates = Math.max(1, Math.floor(epochs * (train.length / batchSize)));
  // Ends where a cosine does.
  const cycles = Math.max(1, Math.round((updates - start) / restart));
  return {
    network,
    data: { train, test: loadCifar10(data, 'test') },
    objective: classification(),
    optimizer: adamW(),
    learningRate: warmup(
      { updates: start, start: 0.1 },
      restart > 0 ? restarting(learningRate, restart) : cosine({ base: learningRate }),
    ),
    weightDecay,
    transforms: [randomFlip({ probability: 0.4 })],
    evaluation: { every: Math.min(epochs, 5) },
    batchSize,
    updates: restart > 0 ? start + cycles * restart : updates,
    seed,
    session: { provider },
  };
}
