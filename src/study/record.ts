import type { Figures } from './define.js';

/** A figure over training: updates and values. */
export type Curve = readonly (readonly [update: number, value: number])[];

/** What made a run: to repeat it, and to tell apart what came from different versions. */
export interface Provenance {
  readonly whittle: string;
  /** Of the checkout that Whittle's own code ran from, with a `+` where `src` differed from it; absent elsewhere. */
  readonly commit?: string;
  readonly node: string;
  readonly onnxruntime: string;
  readonly platform: string;
  readonly cpu: string;
  /** Threads inside an operator, and runs side by side: times depend on both. */
  readonly threads: number;
  readonly jobs: number;
}

interface RecordHead {
  readonly format: 1;
  /** What decides the result: study, arm, seed, settings, versions; see `keyOf`. */
  readonly key: string;
  readonly arm: string;
  readonly seed: number;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Of the text of the study's file, to notice that it has changed since. */
  readonly definition: string;
  /** When it ended; ISO 8601. */
  readonly date: string;
  readonly made: Provenance;
}

export interface FinishedRecord extends RecordHead {
  readonly state: 'done';
  readonly figures: Figures;
  readonly curves: Readonly<Record<string, Curve>>;
}

export interface FailedRecord extends RecordHead {
  readonly state: 'failed';
  readonly reason: string;
}

/** One line of `results.jsonl`: one run. */
export type RunRecord = FinishedRecord | FailedRecord;

/** The last record of each run; a run that was repeated counts once. */
export const latest = (records: readonly RunRecord[]): Map<string, RunRecord> =>
  new Map(records.map(record => [record.key, record]));
