import type { Interval } from './bootstrap.js';
import type { BudgetOutcome } from './budget.js';

/**
 * What a compression measured, as plain JSON: `whittle compress --json` prints it, the HTML page and the terminal
 * show it, and a program reads it as `result.report`. Sizes are bytes of files, times milliseconds, errors relative
 * (0.05 is 5%). Nothing in it is an estimate unless its name says so.
 */
export interface CompressReport {
  version: 1;
  /** When it ended, ISO 8601. */
  date: string;
  whittle: string;
  /** The command line that repeats it, where there was one. */
  command?: string;
  model: {
    path?: string;
    name: string;
    opset: number;
    producer: string;
    inputs: { name: string; dtype: string; shape: (number | string | null)[] }[];
    outputs: { name: string; dtype: string; shape: (number | string | null)[] }[];
  };
  settings: { method: string; error?: number | undefined; seed: number; [option: string]: unknown };
  /** One sentence: what came out, in bytes and quality. */
  verdict: string;
  /** Whether the input was kept as it was, because nothing made it smaller. */
  unchanged: boolean;
  /** The share of the operations that pruning left before weights were compressed; absent where nothing was pruned. */
  pruned?: number;
  bytes: { before: number; after: number };
  /** What was asked for, and whether it holds; empty where nothing was. */
  budget: BudgetOutcome[];
  /** Stored weight elements (a factorized layer has fewer, a quantized one as many). */
  parameters: { before: number; after: number };
  /** Floating-point operations of one run on the first verification input; absent where an operator's are unknown. */
  flops?: { before: number; after: number };
  /** What loading the file takes in a process of its own: time, and the memory that stays taken after one run. */
  load?: { beforeMs: number; afterMs: number; beforeBytes: number; afterBytes: number; runs: number };
  /**
   * Median time of one run, both models interleaved on the same inputs, one machine; on one thread processor time, which
   * is what a run takes where nothing else runs.
   */
  time?: { beforeMs: number; afterMs: number; runs: number; provider: string; clock?: 'processor' };
  calibration: InputsUsed;
  verification: InputsUsed & {
    outputs: OutputAgreement[];
  };
  /** What the user's own `--eval` returned for the original and for the compressed model. */
  scores: ScoreRow[];
  /** Inputs that got worse by the evaluation, worst first; a few. */
  worst: SampleChange[];
  /** How the samples' own scores of the evaluation changed on average. */
  perSample?: MeanChange;
  /** The whole front of sizes and qualities, where it was asked for. */
  pareto?: ParetoReport;
  /** What recovery won, where it was asked for. */
  recovery?: RecoveryReport;
  layers: LayerReport[];
  phases: { name: string; ms: number }[];
  /** Things the reader should know before trusting the numbers. */
  warnings: string[];
}

export interface ParetoReport {
  /** The best mix of all methods at several sizes, smallest first. */
  points: ParetoPoint[];
  /** What each method reaches alone. Only quantization, the baseline, has scores. */
  methods: { method: string; points: ParetoPoint[] }[];
  /** The fronts that were joined, one for each share of the operations that pruning left; 1 is the whole model. */
  versions?: { pruned: number; points: ParetoPoint[] }[];
}

/** One written and measured file. */
export interface ParetoPoint {
  bytes: number;
  /** Of the worst output, on the verification inputs. */
  cosine: number;
  outputs: OutputAgreement[];
  scores: ScoreRow[];
  /** How many layers have which form. */
  choices: { label: string; layers: number }[];
  /** The share of the operations that pruning left before; absent where nothing was pruned. */
  pruned?: number;
}

/** Distortion of the outputs (squared error over their variance) through the steps of recovery. */
export interface RecoveryReport {
  how: 'layers' | 'distill';
  /** Layers whose floats were fitted anew; 0 where that did not help the whole, absent where no weight was compressed. */
  layers?: number;
  /** Passes of distillation. */
  epochs: number;
  /** Inputs on which the steps were judged; they learned from others. */
  samples: number;
  before: number;
  afterLayers: number;
  after: number;
}

export interface InputsUsed {
  source: string;
  samples: number;
  /** Made up from the model's signature, because none were given. */
  generated: boolean;
}

/** How much the compressed model's output is like the original's, over all verification inputs. */
export interface OutputAgreement {
  name: string;
  /** ‖y − ŷ‖ / ‖y‖ over all inputs together. */
  relativeError: number;
  /** Mean over inputs of the cosine between y and ŷ; of single numbers, the cosine of all inputs' as one vector. */
  cosine: number;
  /** 5th percentile of the inputs' cosines; absent for single numbers. */
  cosine5?: number;
  /** Share of positions whose largest entry along the last axis is the same; absent where that has no meaning. */
  top1?: number;
  /** 95% confidence intervals by bootstrap over the inputs; absent for too few. */
  intervals?: { relativeError?: Interval; cosine?: Interval; top1?: Interval };
  /** Inputs with the lowest cosine, worst first; none for single numbers. */
  worst: { sample: number; cosine: number }[];
}

export interface ScoreRow {
  name: string;
  before: number;
  after: number;
  betterIs: 'higher' | 'lower';
  unit?: string;
  /** One sentence: what it measures. */
  description?: string;
}

/** Mean over inputs of the score after minus the score before, with its 95% confidence interval. */
export interface MeanChange {
  samples: number;
  mean: number;
  interval: Interval;
}

/** One input that the evaluation scored for both models. */
export interface SampleChange {
  id: string;
  image?: string;
  expected?: string;
  before?: string;
  after?: string;
  /** Score after minus score before; negative is worse. */
  change: number;
}

export interface LayerReport {
  /** The weight's name in the file. */
  weight: string;
  /** Names of the nodes that use it. */
  nodes: string[];
  /** The operator; `Conv, columns in pairs` where the filters are laid out for that. */
  op: string;
  kind: string;
  shape: number[];
  dtype: string;
  bytesBefore: number;
  bytesAfter: number;
  /** What was chosen, e.g. `int8`, `svd int8, rank 48`, or `unchanged`. */
  choice: string;
  /** The method's name; `none` for an unchanged layer. */
  method: string;
  /** Why, in a few words. */
  reason: string;
  rank?: number;
  /** ‖y − ŷ‖ / ‖y‖ of this layer's own output on the calibration inputs, for the choice. */
  error: number;
  /** Everything that was tried. */
  candidates: { label: string; bytes: number; error: number; keepsRule: boolean }[];
  /** Singular values of the weight as a matrix, largest first; present when they were computed. */
  spectrum?: number[];
}

/** How far a long job has come. */
export interface Progress {
  phase: string;
  /** Steps done and to do in this phase. */
  done: number;
  total: number;
  /** What it is at, e.g. a layer's name. */
  detail?: string;
}
