import type { CompressOptions } from '../compress/options.js';
import { WhittleError } from '../graph/errors.js';
import type { PruneTarget } from './allocate.js';
import { RETRAIN_EPOCHS } from './retrain.js';
import type { Importance } from './study.js';

export interface PruneOptions
  extends Pick<
    CompressOptions,
    | 'inputs'
    | 'heldOut'
    | 'samples'
    | 'evaluate'
    | 'include'
    | 'exclude'
    | 'seed'
    | 'threads'
    | 'provider'
    | 'timing'
    | 'onProgress'
    | 'signal'
  > {
  /** Share of the floating-point operations that is left, such as 0.7. */
  flops?: number;
  /** Share of the parameters that is left. */
  parameters?: number;
  /**
   * How channels are ranked: by what the layers that read them can no longer say (`reconstruction`, the default), by the
   * outputs' derivatives (`taylor`), or by their weights alone (`magnitude`).
   */
  importance?: Importance;
  /** The same share of every group (`uniform`), or most where it costs least (`global`, the default). */
  allocation?: 'global' | 'uniform';
  /** Fit the weights that are left to what the layers said; default true. */
  refit?: boolean;
  /**
   * Then train the whole to give the original's outputs on the calibration inputs, at most so many passes over them
   * (`true`: 10). Default none.
   */
  retrain?: boolean | number;
  /** Sizes that are left are multiples of this; default 8. */
  round?: number;
  /** Remove so many residual blocks first, those that change the outputs least; default 0. */
  blocks?: number;
  /** Remove channels over which a normalization takes statistics too; default false. */
  approximate?: boolean;
}

/** Passes of the retraining. @throws WhittleError where they are no whole number */
export function readEpochs(retrain: boolean | number = false): number {
  const epochs = retrain === true ? RETRAIN_EPOCHS : Number(retrain);
  if (Number.isInteger(epochs) && epochs >= 0) return epochs;
  throw new WhittleError(`the passes of a retraining are a whole number, not ${retrain}`);
}

/** How much is to be left. @throws WhittleError for shares out of range, and where nothing is said */
export function readTarget({ flops, parameters, blocks }: PruneOptions): PruneTarget {
  for (const [name, share] of Object.entries({ flops, parameters })) {
    if (share !== undefined && !(share > 0 && share <= 1)) {
      throw new WhittleError(`the share of ${name} that is left must lie between 0 and 1, not ${share}`, {
        hint: '0.7 leaves 70%',
      });
    }
  }
  if (flops === undefined && parameters === undefined && !blocks) {
    throw new WhittleError('it is not said how much is to be left', {
      hint: 'Give a share of the operations (flops: 0.7), of the parameters (parameters: 0.5), or a number of blocks',
    });
  }
  return { ...(flops !== undefined && { flops }), ...(parameters !== undefined && { parameters }) };
}
