import { WhittleError } from '../../graph/errors.js';
import { type Logger, partOf, type TrainOptions, type TrainResult, train } from '../../train/index.js';
import { type LowRankTrainingOptions, lowRank } from './method.js';

export interface WarmStartOptions extends LowRankTrainingOptions {
  /** Epochs of dense training before the layers become products. */
  readonly epochs: number;
}

/**
 * Trains a dense network for some epochs, replaces its layers by the best products of the rank that the policy says
 * (by budget, or for each layer by energy or stable rank), and trains these for the rest. Learning rate, logs and the
 * count of updates go on; momentum and other states of the optimizer begin anew, and so does the order of the data,
 * with the next seed. Checkpoints are those of the second part.
 * Wang, Agarwal & Papailiopoulos, "Pufferfish", MLSys 2021; ranks by stable rank: Wang et al., "Cuttlefish", MLSys 2023.
 * @throws WhittleError for as many epochs as the whole training has, or none, and what `train` throws
 */
export async function trainWithWarmStart(
  options: TrainOptions,
  { epochs, ...policy }: WarmStartOptions,
): Promise<TrainResult> {
  const { data, batchSize, accumulation = 1, epochs: all, updates, seed = 0 } = options;
  const perEpoch = Math.max(1, Math.floor(Math.floor(data.train.length / batchSize) / accumulation));
  const total = updates ?? Math.round((all ?? 0) * perEpoch);
  const first = Math.round(epochs * perEpoch);
  if (!(first > 0 && first < total)) {
    throw new WhittleError(`a warm start of ${epochs} epochs does not fit into ${total / perEpoch}`, {
      hint: 'Leave it out for spectral initialization at the start',
    });
  }
  const { epochs: _epochs, checkpoints, earlyStopping, ...common } = options;
  const part = (from: number): Pick<TrainOptions, 'learningRate' | 'weightDecay'> => ({
    learningRate: partOf(options.learningRate, { from, updates: total }),
    ...(options.weightDecay !== undefined && {
      weightDecay: partOf(options.weightDecay, { from, updates: total }),
    }),
  });
  const dense = await train({ ...common, ...part(0), updates: first });
  if (dense.ended !== 'done') return dense;
  const result = await train({
    ...common,
    ...part(first),
    network: dense.network,
    updates: total - first,
    seed: seed + 1,
    methods: [...(options.methods ?? []), lowRank(policy)],
    logs: (options.logs ?? []).map(log => continued(log, first, first / perEpoch, dense.seconds)),
    ...(checkpoints && { checkpoints }),
    ...(earlyStopping && { earlyStopping }),
  });
  return { ...result, updates: result.updates + first, seconds: result.seconds + dense.seconds };
}

/** A log that goes on after so many updates. */
const continued = (log: Logger, updates: number, epochs: number, seconds: number): Logger => ({
  open: update => log.open(update + updates),
  write: record =>
    log.write({
      ...record,
      update: record.update + updates,
      epoch: record.epoch + epochs,
      seconds: record.seconds + seconds,
    }),
  flush: () => log.flush(),
  close: () => log.close(),
});
