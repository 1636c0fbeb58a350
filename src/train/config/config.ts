import { WhittleError } from '../../graph/errors.js';
import type { TrainOptions } from '../options.js';
import { readSettings, type Settings, type ValuesOf } from './settings.js';

/** What a configuration decides; folder, logs and resuming are the command line's. */
export type ConfiguredTraining = Omit<TrainOptions, 'checkpoints' | 'logs' | 'onProgress' | 'signal'> & {
  /** Updates between checkpoints; default those of an epoch. */
  readonly checkpointEvery?: number;
};

/** A training with settings that the command line can change: the default export of a `CONFIG.ts`. */
export interface TrainingConfig<S extends Settings = Settings> {
  readonly settings: S;
  build(values: ValuesOf<S>): ConfiguredTraining | Promise<ConfiguredTraining>;
}

/**
 * Describes a training for `whittle train`:
 *
 *     export default defineTraining({
 *       settings: { depth: integer(20), learningRate: number(0.1, { min: 0 }) },
 *       build: ({ depth, learningRate }) => ({ network: cifarResNet({ depth, training: true }), … }),
 *     });
 */
export const defineTraining = <const S extends Settings>(config: TrainingConfig<S>): TrainingConfig<S> =>
  config;

/** Builds the training of a configuration. @throws WhittleError for settings that do not fit */
export async function configure(
  config: TrainingConfig,
  changes: readonly string[],
): Promise<{ training: ConfiguredTraining; values: Readonly<Record<string, unknown>> }> {
  const values = readSettings(config.settings, changes);
  return { training: await config.build(values), values };
}

/** @throws WhittleError where an export is no configuration */
export function asTrainingConfig(exported: unknown, file: string): TrainingConfig {
  const { settings, build } = (exported ?? {}) as Partial<TrainingConfig>;
  if (typeof build === 'function' && typeof settings === 'object' && settings !== null) {
    return exported as TrainingConfig;
  }
  throw new WhittleError('the file describes no training', {
    file,
    hint: 'Export default defineTraining({ settings: { … }, build: settings => ({ … }) })',
  });
}
