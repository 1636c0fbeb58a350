import type { Observation } from '../calibrate/observe.js';
import type { SerializedError } from '../linalg/worker-protocol.js';
import type { Settings } from './options.js';

/** To a worker: what to study and by which methods, once; then layers one after another. */
export type ToStudyWorker =
  | { readonly settings: Settings; readonly onlyMethods: readonly string[] | undefined }
  | {
      /** The layer cut out of its model, as a file; and the name of its weight. */
      readonly fragment: Uint8Array;
      readonly weight: string;
      readonly observation: Observation;
    };

/** From a worker: `ready` once, then what it found of each layer, as `Figures` keep it. */
export type FromStudyWorker =
  | { readonly ready: true }
  | { readonly figures: Readonly<Record<string, number>> }
  | { readonly error: SerializedError };
