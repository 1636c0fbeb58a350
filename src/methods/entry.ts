import type { Settings, ValuesOf } from '../train/config/settings.js';
import type { TrainingMethod } from '../train/method.js';

/** What kind of redundancy a method leaves out; a penalty makes one that is left out afterwards. */
export type Family =
  | 'factorized'
  | 'structured'
  | 'sparse'
  | 'quantized'
  | 'sharing'
  | 'penalty'
  | 'distillation';

/**
 * A way to get a small network by training, as `whittle methods` lists it and a study names it. What it does is in the
 * `TrainingMethod` that `create` makes: at build (`prepare`), in the step, between steps and at export.
 */
export interface MethodEntry<S extends Settings = Settings, M extends Made = Made> {
  /** As in `--method`, e.g. `rigl`. */
  readonly name: string;
  readonly family: Family;
  /** One sentence. */
  readonly summary: string;
  readonly paper: Paper;
  readonly settings: S;
  /** Claims of the method that are to be known before it is made, since that reads files. */
  readonly claims?: readonly string[];
  /**
   * A promise where files have to be read, such as a teacher's.
   * @throws WhittleError for values that make no sense
   */
  create(values: ValuesOf<S>): M;
}

/** What an entry makes. */
export type Made = TrainingMethod | Promise<TrainingMethod>;

/** Where a method comes from. */
export interface Paper {
  readonly title: string;
  readonly authors: string;
  readonly year: number;
  readonly url: string;
}

/** Describes a method; keeps the types of its settings and of what it makes. */
export const defineMethod = <const S extends Settings, M extends Made>(
  entry: MethodEntry<S, M>,
): MethodEntry<S, M> => entry;
