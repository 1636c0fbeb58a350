import type { SiteKind } from '../calibrate/sites.js';
import type { GroupReport } from '../prune/report.js';
import type { SpectrumMeasures } from './spectrum.js';

/** What a model is made of, as plain JSON: `whittle inspect --json` prints it. Sizes are bytes. */
export interface InspectReport {
  version: 1;
  whittle: string;
  model: {
    path?: string;
    name: string;
    producer: string;
    irVersion: number;
    /** Version of each operator set; the domain '' is ONNX's own. */
    opsets: { domain: string; version: number }[];
    /** Names of the model-local functions. */
    functions: string[];
    metadata: { key: string; value: string }[];
    inputs: Signature[];
    outputs: Signature[];
  };
  bytes: {
    total: number;
    /** The model file and the external data files that it names. */
    files: { path: string; bytes: number }[];
    /** Constants by dtype, and everything else: nodes, names, shapes. */
    parts: { part: string; tensors: number; elements: number; bytes: number }[];
  };
  nodes: number;
  /** Bodies of `If`, `Loop`, `Scan` and the like. */
  subgraphs: number;
  ops: { op: string; count: number }[];
  /** Every weight that can be compressed, in the order of the nodes. */
  weights: WeightReport[];
  /** Dimensions that can be made smaller; present when they were asked for. */
  dimensions?: DimensionReport;
  warnings: string[];
}

export interface DimensionReport {
  groups: GroupReport[];
  /** Axes of weights that stay, and why. */
  refused: { constant: string; axis: number; size: number; reason: string }[];
  /** Residual blocks that can be left out, by the node that adds. */
  blocks: string[];
}

export interface Signature {
  name: string;
  dtype: string;
  /** Absent where even the rank is unknown. */
  shape?: (number | string | null)[];
}

export interface WeightReport {
  name: string;
  kind: SiteKind;
  op: string;
  /** The nodes that multiply by it: more than one where it is shared. */
  nodes: string[];
  /** Whether it lies in a subgraph or a function. */
  nested: boolean;
  /** Where its bytes are. */
  stored: 'initializer' | 'Constant node';
  shape: number[];
  dtype: string;
  bytes: number;
  /** Of all bytes of the model. */
  share: number;
  /** As a matrix: outputs × what is summed over. */
  rows: number;
  columns: number;
  /** From this rank on two factors hold as many numbers as the matrix: mn / (m + n). */
  breakEven: number;
  /** Present when spectra were asked for. */
  spectrum?: SpectrumMeasures & {
    /** Singular values, largest first. */
    values: number[];
  };
}
