import type { Figures } from './define.js';
import type { Curve } from './record.js';

/** What the process that runs a study tells one that makes a single run. */
export type Order =
  | {
      readonly kind: 'run';
      /** The study's file. */
      readonly file: string;
      readonly arm: string;
      readonly seed: number;
      readonly key: string;
      /** `key=value`, as on the command line. */
      readonly changes: readonly string[];
      readonly scratch: string;
      readonly keys: Readonly<Record<string, string>>;
      readonly known: Readonly<Record<string, Figures>>;
      readonly threads: number;
    }
  /** Save a checkpoint and end. */
  | { readonly kind: 'stop' };

/** What it hears back. */
export type Answer =
  | { readonly kind: 'progress'; readonly share: number; readonly detail: string }
  | {
      readonly kind: 'done';
      /** The hash of the file as it was when the run began. */
      readonly definition: string;
      readonly figures: Figures;
      readonly curves: Readonly<Record<string, Curve>>;
    }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'stopped' };
