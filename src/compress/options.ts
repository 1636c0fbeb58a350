import type { EvalFunction } from '../data/evaluation.js';
import type { InputSource } from '../data/sample.js';
import { WhittleError } from '../graph/errors.js';
import type { Provider } from '../runtime/index.js';
import { type Budget, hasBudget, parseLatency, parseQuality, type QualityBound } from './budget.js';
import type { Store } from './cache.js';
import type { Goal, Method } from './method.js';
import { METHODS, type MethodName, methodsFor, OPTIONAL } from './methods/index.js';
import type { StaticRanges } from './methods/int8-static.js';
import type { Progress } from './report.js';

export interface CompressOptions extends Budget {
  /** Default `auto`: whatever mix of all methods is smallest. */
  method?: MethodName;
  /** Only these, by name: of the methods that `method` tries, and of those that are only tried when they are named. */
  onlyMethods?: readonly string[];
  /** Default `size`, the smallest download; `speed` where there is a bound on latency. */
  goal?: Goal;
  /**
   * Measure the whole front of sizes and qualities too. Without a budget the result is then its knee: from there on
   * quality falls faster than bytes do.
   */
  pareto?: boolean;
  /**
   * Remove whole channels, heads and neurons before weights are compressed, until this share of the floating-point
   * operations is left. Of several shares (1 is the whole model) the best is kept; `auto` tries 1, 0.9, 0.8 and 0.7. Under
   * a bound on latency `auto` removes channels or blocks until the time holds, which is done too where nothing is said and
   * other methods do not reach it; `false` forbids it.
   */
  prune?: number | readonly number[] | 'auto' | false;
  /** Singular values of the largest weights in the report. */
  spectra?: boolean;
  /**
   * The per-layer rule: largest ‖y − ŷ‖ / ‖y − ȳ‖ of a layer's output on the calibration inputs. Default 0.05; with a
   * budget or `pareto` there is none unless it is given.
   */
  error?: number;
  /**
   * How the rule measures a layer's error: `closed`, from the second moment of its inputs, or `forward`, by running the
   * layer. Default `closed`.
   */
  rankSearch?: 'closed' | 'forward';
  /**
   * Win back quality at the same bytes: `layers` fits the floats of each layer anew in closed form, `distill` then
   * trains all floats of the file to give the original's outputs on the calibration inputs. `true` means `layers`.
   */
  recover?: boolean | Recovery;
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
  /**
   * Where finished work is kept, so that another budget starts at once and a run that was killed goes on: a folder
   * (Node), or a store of your own. Nothing is kept by default.
   */
  cache?: string | Store;
  /** Bytes that the folder may take; what was not read for longest goes first. Default 4 GB. */
  cacheLimit?: number;
  /** Threads of ONNX Runtime. */
  threads?: number;
  /** Where verification and timing run; layers are always studied on the processor. */
  provider?: Provider;
  /** Whether to time both models, about a second each; default true. */
  timing?: boolean;
  onProgress?: (progress: Progress) => void;
  /** Stops the work at the next layer or sample. */
  signal?: AbortSignal;
}

/** Passes over the calibration inputs that a recovery by distillation takes at most. */
export const RECOVERY_EPOCHS = 12;

export const GOALS: readonly Goal[] = ['size', 'memory', 'speed'];

/** How quality is won back after compression. */
export type Recovery = 'layers' | 'distill';
export const RECOVERIES: readonly Recovery[] = ['layers', 'distill'];

export interface Settings {
  readonly method: MethodName;
  readonly goal: Goal;
  /** Longest time of a run, as a share of the original's. */
  readonly maxLatency: number | undefined;
  readonly pareto: boolean;
  readonly error: number | undefined;
  readonly rankSearch: 'closed' | 'forward';
  readonly recover: Recovery | undefined;
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
export const DEFAULT_QUALITY = 'cosine=0.998';
/** The per-layer rule that goes with it. */
export const DEFAULT_ERROR = 0.05;

/** Fills in the defaults. @throws WhittleError for values out of range */
export function readOptions(options: CompressOptions): Settings {
  const { method = 'auto', seed = 0, rankSearch = 'closed', pareto = false } = options;
  if (!(method in METHODS)) {
    throw new WhittleError(`there is no method "${method}"`, {
      hint: `Take one of ${Object.keys(METHODS).join(', ')}`,
    });
  }
  const maxLatency = options.maxLatency === undefined ? undefined : parseLatency(options.maxLatency);
  if (maxLatency !== undefined && options.timing === false) {
    throw new WhittleError('a bound on latency needs timing', { hint: 'Leave timing on' });
  }
  const goal = options.goal ?? (maxLatency === undefined ? 'size' : 'speed');
  if (!GOALS.includes(goal)) {
    throw new WhittleError(`there is no goal "${goal}"`, { hint: `Take one of ${GOALS.join(', ')}` });
  }
  const recover = options.recover === true ? 'layers' : options.recover || undefined;
  if (recover !== undefined && !RECOVERIES.includes(recover)) {
    throw new WhittleError(`there is no recovery "${recover}"`, {
      hint: `Take one of ${RECOVERIES.join(', ')}`,
    });
  }
  const bounds = typeof options.minQuality === 'string' ? [options.minQuality] : (options.minQuality ?? []);
  const budgeted = hasBudget(options);
  const error = options.error ?? (budgeted || pareto ? undefined : DEFAULT_ERROR);
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
  const guarded = !budgeted && !pareto && method === 'auto';
  const quality = (guarded ? [DEFAULT_QUALITY] : bounds).map(parseQuality);
  const unscored = quality.find(({ measure }) => measure === 'score');
  if (unscored && !options.evaluate) {
    throw new WhittleError(`the bound "${unscored.text}" needs an evaluation that returns scores`, {
      hint: 'Give one with --eval FILE.ts',
    });
  }
  return {
    method,
    goal,
    maxLatency,
    pareto,
    error,
    rankSearch,
    recover,
    calibration,
    verification,
    seed,
    // Every candidate is needed, as for a budget: this one holds whatever is chosen.
    maxSize:
      options.maxSize ?? ((pareto || maxLatency !== undefined) && bounds.length === 0 ? '100%' : undefined),
    quality,
  };
}

/**
 * The methods to try, those that the user left.
 * @param ranges of activations, where the goal is speed
 * @throws WhittleError for names that are none of them
 */
export function methodsOf(
  { method, goal }: Pick<Settings, 'method' | 'goal'>,
  only: readonly string[] | undefined,
  ranges?: StaticRanges,
): readonly Method[] {
  const methods = methodsFor(method, goal, { ranges });
  if (only === undefined) return methods;
  const known = [...methods, ...OPTIONAL.filter(method => !methods.includes(method))];
  const unknown = only.find(name => !known.some(m => m.name === name));
  if (unknown !== undefined || only.length === 0) {
    throw new WhittleError(
      unknown === undefined
        ? 'no method is left'
        : `there is no method "${unknown}"${method === 'auto' ? '' : ` within "${method}"`}`,
      { hint: `Take some of ${[...new Set(known.map(({ name }) => name))].join(', ')}` },
    );
  }
  return known.filter(({ name }) => only.includes(name));
}

/** Whether a layer's names pass the patterns. */
export function selects(
  names: readonly string[],
  { include, exclude }: Pick<CompressOptions, 'include' | 'exclude'>,
): boolean {
  const matches = (patterns: readonly string[]) =>
    patterns.some(pattern => names.some(name => patternToRegExp(pattern).test(name)));
  if (exclude && matches(exclude)) return false;
  return include === undefined || matches(include);
}

const patternToRegExp = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
