import type { Model } from '../graph/model.js';
import { alignGroups, expandBatchNorm } from '../graph/rewrite/index.js';
import { layoutPass } from '../runtime/layout/index.js';
import { Loader } from './data/loader.js';
import { EVALUATION_BATCH, Evaluator, evenBatch } from './evaluate.js';
import type { TrainOptions } from './options.js';
import { StepRunner } from './step/runner.js';
import { batchSizes, fixedBatch, withoutBatch } from './step/sizes.js';
import { trainingStep } from './step/step.js';

/** What a training works with: where batches come from, and the sessions that train and evaluate. */
export interface Parts {
  readonly loader: Loader;
  readonly runner: StepRunner;
  /** Absent without a test set. */
  readonly evaluator: Evaluator | undefined;
  readonly evaluationBatch: number;
}

/** A shader of WebGPU binds ten buffers: one whole and its parts have to fit. */
const WEBGPU_TOGETHER = 8;

/** Builds the step for the provider and opens its sessions. Whoever asks releases `runner` and `evaluator`. */
export async function openParts(options: TrainOptions): Promise<Parts> {
  const { data, batchSize, session = {}, seed = 0, sizes = {} } = options;
  const loader = new Loader(data.train, { batchSize, seed, ...loaderOptions(options) });
  const { provider = 'cpu' } = session;
  const pass = options.blockedLayout === false || provider !== 'cpu' ? undefined : await layoutPass(session);
  const arrange = (model: Model): void => {
    pass?.({ model });
    if (provider !== 'webgpu') return;
    expandBatchNorm(model.graph);
    alignGroups(model.graph);
  };
  const step = trainingStep(options.network, {
    ...options,
    ...(provider === 'webgpu' && { flattenTogether: WEBGPU_TOGETHER }),
    passes: [...(options.passes ?? []), ({ model }) => void arrange(model)],
    weightDecay: options.weightDecay !== undefined && options.weightDecay !== 0,
    sizes: { ...batchSizes(options.network, data.train, batchSize), ...sizes },
  });
  const runner = await StepRunner.create(step, { ...session, seed });
  const fixed = fixedBatch(options.network);
  const most = fixed ?? options.evaluation?.batchSize ?? EVALUATION_BATCH;
  const even = data.test && (fixed ?? evenBatch(data.test.length, most));
  const evaluator =
    data.test &&
    (await Evaluator.create(step, session, {
      // Evaluation has batches of its own.
      sizes: {
        ...withoutBatch(options.network, sizes),
        ...(even !== undefined && batchSizes(step.network, data.test, even)),
      },
      rewrite: arrange,
    }));
  return { loader, runner, evaluator, evaluationBatch: even ?? most };
}

/** Options of the loader that were given. */
const loaderOptions = ({ transforms, shuffle, prefetch }: TrainOptions) => ({
  ...(transforms && { transforms }),
  ...(shuffle !== undefined && { shuffle }),
  ...(prefetch !== undefined && { prefetch }),
});
