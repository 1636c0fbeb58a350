import type { EvalFunction } from '../data/evaluation.js';
import type { InputSource } from '../data/sample.js';
import { WhittleError } from '../graph/errors.js';
import type { Provider } from '../runtime/index.js';
import { type Budget, parseQuality, type QualityBound } from './budget.js';
import { METHODS, type MethodName } from './methods/index.js';
import type { Progress } from './report.js';

export interface CompressOptions extends Budget {
  /** Default `auto`: whatever mix of all methods is smallest. */
  method?: MethodName;
  /**
   * The per-layer rule: largest ‖y − ŷ‖ / ‖y − ȳ‖ of a layer's output on the calibration inputs. Default 0.05; with a
   * budget there is none unless it is given.
   */
  error?: number;
  /**
   * How the rule measures a layer's error: `closed`, from the second moment of its inputs, or `forward`, by running the
   * layer. Default `closed`.
   */
  rankSearch?: 'closed' | 'forward';
  /** Inputs for calibration and verification. Made up from the model's signature where none are given. */
  inputs?: InputSource;
  /** Inputs for verification alone; by default a part of `inputs` that calibration does not see. */
  heldOut?: InputSource;
  /** How many samples to calibrate with and to verify with, at most; default 64 each. */
  samples?: { calibration?: number; verification?: number };
  /** The task's own measure, run on the original and on the compressed model. */
  evaluate?: EvalFunction;
  /** Only layers whose weight or node has a name that matches one of these (`*` stands for anything). */
  include?: readonly string[];
  /** Not those that match one of these. */
  exclude?: readonly string[];
  /** Seed of everything random: made-up inputs, which samples calibrate. Default 0. */
  seed?: number;
  /** Threads of ONNX Runtime. */
  threads?: number;
  /** Where verification and timing run; layers are always studied on the processor. */
  provider?: Provider;
  onProgress?: (progress: Progress) => void;
  /** Stops the work at the next layer or sample. */
  signal?: AbortSignal;
}

export interface Settings {
  readonly method: MethodName;
  readonly error: number | undefined;
  readonly rankSearch: 'closed' | 'forward';
  readonly calibration: number;
  readonly verification: number;
  readonly seed: number;
  readonly maxSize: string | number | undefined;
  readonly quality: readonly QualityBound[];
}

/**
 * What the outputs must keep when the user sets no budget: a mix that keeps the rule in every layer can still add up
 * to a model that is of no use.
 */
const DEFAULT_QUALITY = 'cosine=0.998';

/** Fills in the defaults. @throws WhittleError for values out of range */
export function readOptions(options: CompressOptions): Settings {
  const { method = 'auto', seed = 0, rankSearch = 'closed' } = options;
  if (!(method in METHODS)) {
    throw new WhittleError(`there is no method "${method}"`, {
      hint: `Take one of ${Object.keys(METHODS).join(', ')}`,
    });
  }
  const bounds = typeof options.minQuality === 'string' ? [options.minQuality] : (options.minQuality ?? []);
  const hasBudget = options.maxSize !== undefined || bounds.length > 0;
  const error = options.error ?? (hasBudget ? undefined : 0.05);
  if (error !== undefined && !(error > 0 && error < 1)) {
    throw new WhittleError(`the error must lie between 0 and 1, not ${error}`, {
      hint: '0.05 allows each layer a relative output error of 5%',
    });
  }
  const { calibration = 64, verification = 64 } = options.samples ?? {};
  for (const [name, count] of Object.entries({ calibration, verification })) {
    if (!Number.isInteger(count) || count < 1) {
      throw new WhittleError(`the number of ${name} samples must be a positive integer, not ${count}`);
    }
  }
  // A single method under the rule alone is what the sources measured; the guard belongs to the mix.
  const guarded = !hasBudget && method === 'auto';
  return {
    method,
    error,
    rankSearch,
    calibration,
    verification,
    seed,
    maxSize: options.maxSize,
    quality: (guarded ? [DEFAULT_QUALITY] : bounds).map(parseQuality),
  };
}

/** Whether a layer's names pass the patterns. */
export function selects(names: readonly string[], { include, exclude }: CompressOptions): boolean {
  const matches = (patterns: readonly string[]) =>
    patterns.some(pattern => names.some(name => patternToRegExp(pattern).test(name)));
  if (exclude && matches(exclude)) return false;
  return include === undefined || matches(include);
}

const patternToRegExp = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
