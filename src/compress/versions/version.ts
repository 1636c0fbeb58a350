import { WhittleError } from '../../graph/errors.js';
import type { Model } from '../../graph/model.js';
import { type RetrainReport, retrain } from '../../prune/retrain.js';
import type { CompressInputs } from '../inputs.js';
import { type CompressOptions, RECOVERY_EPOCHS, type Settings } from '../options.js';
import type { PhaseClock } from '../phases.js';
import type { RecoveryReport } from '../report.js';

/** A version of the model to compress, and the share of its operations that pruning left. */
export interface PrunedVersion {
  readonly model: Model;
  readonly share: number;
  /** Whether it runs in the time that is asked for as it is, so that no weight need change. */
  readonly fast?: boolean;
  readonly retraining?: RetrainReport;
  readonly warnings?: readonly string[];
}

/** Trains a pruned version to give the original's outputs, where recovery by distillation was asked for. */
export async function recoverVersion(
  original: Model,
  version: PrunedVersion,
  inputs: CompressInputs,
  { threads, signal }: Pick<CompressOptions, 'threads' | 'signal'>,
  settings: Settings,
  clock: PhaseClock,
): Promise<PrunedVersion> {
  if (settings.recover !== 'distill') return version;
  const onEpoch = clock.start('retrain', RECOVERY_EPOCHS);
  try {
    const { model, report } = await retrain(original, version.model, inputs, {
      epochs: RECOVERY_EPOCHS,
      threads,
      signal,
      onEpoch,
    });
    return { ...version, model, retraining: report };
  } catch (error) {
    if (!(error instanceof WhittleError)) throw error;
    return { ...version, warnings: [`Retraining after pruning was left out: ${error.message}.`] };
  }
}

/** What retraining did, as a recovery. */
export const recoveryOf = ({ epochs, samples, before, after }: RetrainReport): RecoveryReport => ({
  how: 'distill',
  epochs,
  samples,
  before,
  afterLayers: before,
  after,
});
