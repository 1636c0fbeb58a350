import type { OutputAgreement, ScoreRow } from '../compress/report.js';
import type { RetrainReport } from './retrain.js';

/** What a pruning measured, as plain JSON. Sizes are bytes of files, times milliseconds. */
export interface PruneReport {
  version: 1;
  /** When it ended, ISO 8601. */
  date: string;
  whittle: string;
  command?: string;
  model: { path?: string; name: string };
  settings: { importance: string; allocation: string; refit: boolean; round: number; seed: number };
  /** One sentence: what came out. */
  verdict: string;
  /** Shares that were asked for, and those that were reached. */
  target: { flops?: number; parameters?: number };
  met: boolean;
  bytes: { before: number; after: number };
  parameters: { before: number; after: number };
  /** Of one run on the first verification input; absent where an operator's are unknown. */
  flops?: { before: number; after: number };
  time?: { beforeMs: number; afterMs: number; runs: number; provider: string };
  calibration: { source: string; samples: number; generated: boolean };
  verification: { source: string; samples: number; generated: boolean; outputs: OutputAgreement[] };
  scores: ScoreRow[];
  groups: GroupReport[];
  /** Residual blocks that went, by the sum that ends each. */
  blocks: string[];
  /** What training after pruning won, where it was asked for. */
  retraining?: RetrainReport;
  phases: { name: string; ms: number }[];
  warnings: string[];
}

/** One dimension that can be made smaller. */
export interface GroupReport {
  name: string;
  channels: number;
  left: number;
  /** Constants that it cuts. */
  constants: { name: string; axis: number; indices: number }[];
  /** What is lost as its channels go, least important first; absent where that was not studied. */
  importance?: GroupImportance;
  /** Why removing is not the same as masking; absent where it is. */
  approximate?: string;
}

export interface GroupImportance {
  /**
   * What `lost` is: `outputs`, the distortion of the model's outputs as predicted (squared error over their variance);
   * `layers`, the same of the layers that read the channels; `weights`, the share of the weights' energy Σw².
   */
  of: 'outputs' | 'layers' | 'weights';
  /** How many channels are gone, from few to many. */
  gone: number[];
  lost: number[];
}
