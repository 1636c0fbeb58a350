import { CUMSUM, foldSparse, type Pattern, type SparseMatrix } from '../forms/sparse.js';
import type { Layer } from '../layer.js';
import type { Candidate, Method } from '../method.js';
import { bestScale, dequantizeRows } from '../rounding/quantizer.js';
import { halfPrecision, sweepColumns } from './column-sweep.js';

/**
 * Which numbers are kept. `magnitude`: the largest. `wanda`: those of largest |w| · ‖x‖ in their row, x being their
 * input. `sparsegpt`: those of largest w² / [(S + λ)⁻¹]_cc as the sweep finds them, what is lost made good by the
 * columns after them.
 */
export type Criterion = 'magnitude' | 'wanda' | 'sparsegpt';

export interface SparseFormat {
  /** Share of the numbers that is left out, or how many of how many neighbours are kept. */
  readonly sparsity: number | Pattern;
  /** Of each number kept. */
  readonly bits: number;
  /** Columns that share a scale. */
  readonly block: number;
}

/** Fewest bytes first. */
const FORMATS: readonly SparseFormat[] = [
  { sparsity: 0.7, bits: 3, block: 64 },
  { sparsity: 0.6, bits: 3, block: 64 },
  { sparsity: 0.5, bits: 3, block: 64 },
  { sparsity: { n: 2, m: 4 }, bits: 4, block: 64 },
  { sparsity: 0.5, bits: 4, block: 64 },
];

/**
 * Pruning of single numbers, those kept in few bits. The file is smaller, the run is not faster: ONNX Runtime multiplies
 * dense matrices. (Frantar & Alistarh, "SparseGPT", ICML 2023; Sun et al., "Wanda", ICLR 2024; N of M after Mishra et
 * al., "Accelerating sparse deep neural networks", 2021.)
 */
export const sparse: Method = {
  name: 'sparse',
  opset: CUMSUM,
  *propose(layer) {
    for (const format of FORMATS) yield sparseCandidate(layer, format);
  },
};

/** @param criterion default `sparsegpt`, which without calibration is `magnitude` */
export function sparseCandidate(
  layer: Layer,
  format: SparseFormat,
  criterion: Criterion = 'sparsegpt',
): Candidate {
  const { tensor, layout } = layer.site;
  const { sparsity, bits } = format;
  const share =
    typeof sparsity === 'number' ? `${Math.round(100 * sparsity)}%` : `${sparsity.n}:${sparsity.m}`;
  let cached: SparseMatrix | undefined;
  const pruned = () => (cached ??= pruneLayer(layer, format, criterion));
  return {
    method: 'sparse',
    label: `sparse ${share} int${bits}${criterion === 'sparsegpt' ? '' : ` ${criterion}`}`,
    weight: () => dequantizeRows(pruned()),
    apply({ graph, value, opset }) {
      const target = { dims: tensor.dims, dtype: tensor.dtype, layout, opset };
      graph.replaceUses(value, foldSparse(graph, pruned(), target));
    },
  };
}

/** Columns in which SparseGPT chooses at once, as its paper does. */
const STEP = 128;

/** Leaves out numbers of a layer's weight and rounds the others. */
export function pruneLayer(
  layer: Layer,
  { sparsity, bits, block: wanted }: SparseFormat,
  criterion: Criterion,
): SparseMatrix {
  const { rows, cols } = layer.matrix;
  const pattern = typeof sparsity === 'number' ? undefined : sparsity;
  const unit = pattern?.m ?? 1;
  const block = unit * Math.ceil(Math.min(wanted, cols) / unit);
  const blocks = Math.ceil(cols / block);
  const paddedCols = blocks * block;
  const kept = new Uint8Array(rows * paddedCols);
  const scales = new Float32Array(rows * blocks);
  const q = new Int8Array(rows * paddedCols);
  const limit = 2 ** (bits - 1);
  const choose = (part: Part, scores: Float64Array) =>
    pattern
      ? keepPattern(kept, part, scores, pattern)
      : keepLargest(kept, part, scores, 1 - Number(sparsity));
  if (criterion !== 'sparsegpt') {
    const scores = scoresOf(layer, criterion);
    // Wanda compares within a row, magnitude within the layer.
    const height = criterion === 'wanda' ? 1 : rows;
    for (let firstRow = 0; firstRow < rows; firstRow += height) {
      const part = { firstRow, rows: height, first: 0, end: cols, paddedCols };
      choose(part, scores.subarray(firstRow * cols, (firstRow + height) * cols));
    }
  }
  sweepColumns(
    layer,
    {
      enter(first, end, work, costs, firstRow) {
        const height = work.length / cols;
        const part = { firstRow, rows: height, first, end, paddedCols };
        if (criterion === 'sparsegpt') choose(part, costlyScores(work, costs, part, cols));
        for (let r = 0; r < height; r++) {
          for (let c = Math.ceil(first / block) * block; c < end; c += block) {
            const columns = keptColumns(kept, (firstRow + r) * paddedCols, c, Math.min(c + block, cols));
            const values = columns.map(column => work[r * cols + column]!);
            const weights = columns.map(column => costs[column]!);
            scales[(firstRow + r) * blocks + c / block] = bestScale(values, bits, halfPrecision, weights);
          }
        }
      },
      store(row, column, value) {
        const scale = scales[row * blocks + Math.floor(column / block)]!;
        const at = row * paddedCols + column;
        if (kept[at] === 0 || scale === 0) return 0;
        q[at] = Math.max(-limit, Math.min(limit - 1, Math.round(value / scale)));
        return q[at] * scale;
      },
    },
    { step: Math.max(1, Math.floor(STEP / block)) * block, feedback: criterion === 'sparsegpt' },
  );
  if (pattern) keepPadding(kept, rows, paddedCols, pattern);
  return { format: { bits, block }, rows, cols, paddedCols, block, q, scales, kept, pattern };
}

/** Some rows and columns of the weight. */
interface Part {
  readonly firstRow: number;
  readonly rows: number;
  readonly first: number;
  readonly end: number;
  readonly paddedCols: number;
}

function scoresOf(layer: Layer, criterion: 'magnitude' | 'wanda'): Float64Array {
  const { data, rows, cols } = layer.matrix;
  const { moment } = layer;
  return Float64Array.from(data, (w, i) => {
    if (criterion === 'magnitude' || !moment) return Math.abs(w);
    const column = i % cols;
    const second = moment.second[Math.floor((Math.floor(i / cols) * layer.groups) / rows)]!;
    return Math.abs(w) * Math.sqrt(second[column * cols + column]!);
  });
}

/** w² / [(S + λ)⁻¹]_cc of the columns in work. */
function costlyScores(work: Float64Array, costs: Float64Array, { rows, first, end }: Part, cols: number) {
  const scores = new Float64Array(rows * (end - first));
  for (let r = 0, i = 0; r < rows; r++) {
    for (let c = first; c < end; c++, i++) scores[i] = work[r * cols + c]! ** 2 * costs[c]!;
  }
  return scores;
}

/** Keeps a share of a part's numbers, those of the largest scores. */
function keepLargest(kept: Uint8Array, part: Part, scores: Float64Array, share: number): void {
  const width = part.end - part.first;
  const count = Math.round(share * scores.length);
  const threshold = count === 0 ? Infinity : scores.toSorted()[scores.length - count]!;
  for (let i = 0; i < scores.length; i++) {
    const row = part.firstRow + Math.floor(i / width);
    // A number that is 0 need not be kept to be 0.
    if (scores[i]! > 0 && scores[i]! >= threshold) kept[row * part.paddedCols + part.first + (i % width)] = 1;
  }
}

/** Keeps n of every m neighbours. */
function keepPattern(kept: Uint8Array, part: Part, scores: Float64Array, { n, m }: Pattern): void {
  const width = part.end - part.first;
  for (let r = 0; r < part.rows; r++) {
    for (let c = 0; c < width; c += m) {
      const group = Array.from({ length: Math.min(m, width - c) }, (_, i) => c + i);
      group.sort((a, b) => scores[r * width + b]! - scores[r * width + a]!);
      for (const column of group.slice(0, n)) {
        kept[(part.firstRow + r) * part.paddedCols + part.first + column] = 1;
      }
    }
  }
}

/** Beyond the last column zeros are kept, so that every group has its n. */
function keepPadding(kept: Uint8Array, rows: number, paddedCols: number, { n, m }: Pattern): void {
  for (let at = 0; at < rows * paddedCols; at += m) {
    let count = 0;
    for (let i = 0; i < m; i++) count += kept[at + i]!;
    for (let i = m - 1; count < n; i--) {
      if (kept[at + i] === 1) continue;
      kept[at + i] = 1;
      count++;
    }
  }
}

function keptColumns(kept: Uint8Array, row: number, first: number, end: number): number[] {
  const columns: number[] = [];
  for (let c = first; c < end; c++) if (kept[row + c] === 1) columns.push(c);
  return columns;
}
