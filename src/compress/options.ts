import type { EvalFunction } from '../data/evaluation.js';
import type { InputSource } from '../data/sample.js';
import { WhittleError } from '../graph/errors.js';
import type { Provider } from '../runtime/index.js';
import { METHODS, type MethodName } from './methods/index.js';
import type { Progress } from './report.js';

export interface CompressOptions {
  /** Default `auto`: for each layer the smallest of all that keeps the error rule. */
  method?: MethodName;
  /** The per-layer rule: largest ‖y − ŷ‖ / ‖y‖ of a layer's output on the calibration inputs. Default 0.05. */
  error?: number;
  /** Inputs for calibration and verification. Made up from the model's signature where none are given. */
  inputs?: InputSource;
  /** Inputs for verification alone; by default a part of `inputs` that calibration does not see. */
  heldOut?: InputSource;
  /** How many samples to calibrate with (default 16) and to verify with (default 32), at most. */
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
  /** Where verification and timing run; the layers are always measured on the processor. */
  provider?: Provider;
  onProgress?: (progress: Progress) => void;
  /** Stops the work at the next layer or sample. */
  signal?: AbortSignal;
}

export interface Settings extends MethodChoice {
  calibration: number;
  verification: number;
  seed: number;
}

interface MethodChoice {
  method: MethodName;
  error: number;
}

/** Fills in the defaults. @throws WhittleError for values out of range */
export function readOptions(options: CompressOptions): Settings {
  const { method = 'auto', error = 0.05, seed = 0 } = options;
  if (!(method in METHODS)) {
    throw new WhittleError(`there is no method "${method}"`, {
      hint: `Take one of ${Object.keys(METHODS).join(', ')}`,
    });
  }
  if (!(error > 0 && error < 1)) {
    throw new WhittleError(`the error must lie between 0 and 1, not ${error}`, {
      hint: '0.05 allows each layer a relative output error of 5%',
    });
  }
  const { calibration = 16, verification = 32 } = options.samples ?? {};
  for (const [name, count] of Object.entries({ calibration, verification })) {
    if (!Number.isInteger(count) || count < 1) {
      throw new WhittleError(`the number of ${name} samples must be a positive integer, not ${count}`);
    }
  }
  return { method, error, seed, calibration, verification };
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
