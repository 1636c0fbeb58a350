import type { InputsUsed, OutputAgreement, ScoreRow } from '../compress/report.js';

/**
 * What a comparison of models measured, as plain JSON: `whittle compare --json` prints it. Sizes are bytes, times
 * milliseconds, errors relative. The first model is what the others are held against.
 */
export interface CompareReport {
  version: 1;
  /** When it ended, ISO 8601. */
  date: string;
  whittle: string;
  /** The command line that repeats it, where there was one. */
  command?: string;
  inputs: InputsUsed;
  provider: string;
  models: ComparedModel[];
  warnings: string[];
}

export interface ComparedModel {
  name: string;
  path?: string;
  producer: string;
  nodes: number;
  /** The file with its external data, and the same packed by gzip. */
  bytes: number;
  gzipBytes?: number;
  /** In a process of its own: time to a session, and memory taken after one run. Medians. */
  load?: { ms: number; bytes: number; runs: number };
  /** Of one run on the first input, all models in turns. */
  time?: { medianMs: number; p10: number; p90: number; runs: number };
  /** Agreement with the first model's outputs; empty for the first. */
  outputs: OutputAgreement[];
  /** What `--eval` returned for the first and for this one; for the first both are its own. */
  scores: ScoreRow[];
  /** Values inside of both models, by name; absent for the first, and where it was not asked for. */
  drift?: DriftReport;
}

export interface DriftReport {
  /** In the order of the first model. */
  layers: LayerDrift[];
  /** Float values inside of the first model, matched or not. */
  values: number;
  samples: number;
}

/** How far a value inside of the model is off. */
export interface LayerDrift {
  value: string;
  /** The operator that computes it in the first model. */
  op: string;
  /** ‖a − b‖ / ‖a‖ over all samples together. */
  relativeError: number;
  /** Mean over samples. */
  cosine: number;
}
