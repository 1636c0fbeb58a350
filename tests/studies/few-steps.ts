import type { Model } from '../../src/graph/model.js';
import { exportForInference, type Network } from '../../src/nn/index.js';
import { asStudy, type Needed, type Study, trains } from '../../src/study/define.js';
import type { Evaluated } from '../../src/train/evaluate.js';
import {
  exportTrained,
  readSettings,
  type Settings,
  type TrainResult,
  train,
} from '../../src/train/index.js';

/** Trains one arm of a study for a few updates on one thread, as a run of it would, and measures what the arm measures. */
export async function fewSteps<S extends Settings>(
  study: Study<S>,
  name: string,
  changes: readonly string[],
  {
    updates = 2,
    needed = none,
    evaluate = () => Promise.reject(new Error('not used')),
  }: { updates?: number; needed?: Needed; evaluate?: (model: Model) => Promise<Evaluated> } = {},
) {
  const { settings, arms } = asStudy(study, 'study.ts');
  const values = readSettings(settings, changes) as never;
  const arm = arms[name]!;
  if (!trains(arm)) throw new Error(`${name} does not train`);
  const { epochs: _, updates: __, ...training } = await arm.train(values, 0, needed);
  const result = await train({
    ...training,
    updates,
    session: { ...training.session, threads: 1 },
  });
  const model = await (arm.export?.(result.network) ?? exportTrained(result.network, training.methods));
  const figures = await arm.measure?.({
    settings: values,
    seed: 0,
    network: result.network,
    model,
    evaluation: result.evaluation!,
    figures: { updates: result.updates },
    needed,
    evaluate,
  });
  return { ...result, evaluation: result.evaluation!, figures: figures ?? {}, model };
}

const none: Needed = name => Promise.reject(new Error(`${name} was not made`));

/** What an arm that needs these trained networks gets. */
export const made =
  (
    runs: Readonly<Record<string, Pick<TrainResult, 'network'> & { figures: Record<string, number> }>>,
  ): Needed =>
  async name => {
    const run = runs[name] ?? (await none(name));
    return {
      figures: run.figures as never,
      network: async () => run.network as Network,
      model: async () => exportForInference(run.network as Network),
    };
  };
