import { type ClusteredMatrix, foldClustered, restoreClustered } from '../forms/clustered.js';
import type { Layer } from '../layer.js';
import type { Candidate, Method } from '../method.js';
import type { IntegerFormat } from '../rounding/quantizer.js';
import { bestCodebook, Codebook } from './codebook.js';
import { COLUMNS, columnCosts, halfPrecision, sweepColumns } from './column-sweep.js';

/** Indices of `bits` bits, a scale for each block of a row (0: each row), a codebook for each group of rows. */
export interface ClusterFormat extends IntegerFormat {
  /** Groups of rows with a codebook of their own; default 1. Where they do not divide the rows there is one. */
  readonly codebooks?: number;
}

/** Fewest bits first. */
const FORMATS: readonly ClusterFormat[] = [
  { bits: 2, block: 32 },
  { bits: 3, block: 0 },
  { bits: 3, block: 64 },
  { bits: 3, block: 32 },
  { bits: 4, block: 0 },
  { bits: 4, block: 64 },
  { bits: 4, block: 32 },
  { bits: 5, block: 64 },
  { bits: 6, block: 64 },
];

/**
 * Weight sharing: numbers come from a small codebook that is fitted to the layer, so that its levels are dense where
 * the weights are. (Han, Mao, Dally, "Deep Compression", ICLR 2016; levels weighed by what an error in their column
 * costs, as in Kim et al., "SqueezeLLM", 2024; rounded with error feedback.)
 */
export const cluster: Method = {
  name: 'cluster',
  *propose(layer) {
    for (const format of FORMATS) yield clusterCandidate(layer, format);
  },
};

export function clusterCandidate(layer: Layer, format: ClusterFormat): Candidate {
  const { tensor, layout } = layer.site;
  const { bits, block, codebooks = 1 } = format;
  let cached: ClusteredMatrix | undefined;
  const clustered = () => (cached ??= clusterLayer(layer, format));
  return {
    method: 'cluster',
    label: `codes ${bits}${block > 0 ? ` b${block}` : ''}${codebooks > 1 ? ` × ${codebooks}` : ''}`,
    bits,
    weight: () => restoreClustered(clustered()),
    apply({ graph, value, opset }) {
      const target = { dims: tensor.dims, dtype: tensor.dtype, layout, opset };
      graph.replaceUses(value, foldClustered(graph, clustered(), target));
    },
  };
}

/** Up to so many bits it pays to fit the codebook a second time, to blocks whose scales were fitted to the first. */
const COARSE = 4;

/** Clusters a layer's weight, with error feedback where calibration allows. */
function clusterLayer(layer: Layer, format: ClusterFormat): ClusteredMatrix {
  const { rows, cols } = layer.matrix;
  const { bits } = format;
  const block = format.block === 0 ? cols : Math.min(format.block, cols);
  const blocks = Math.ceil(cols / block);
  const paddedCols = blocks * block;
  const groups = rows % (format.codebooks ?? 1) === 0 ? (format.codebooks ?? 1) : 1;
  const start = firstScales(layer, block);
  let codebooks = fitCodebooks(layer, start, block, 2 ** bits, groups);
  if (bits <= COARSE) {
    fitScales(layer, start, block, codebooks);
    codebooks = fitCodebooks(layer, start, block, 2 ** bits, groups);
  }
  const scales = Float32Array.from(start);
  const q = new Int8Array(rows * paddedCols);
  const codebookOf = (row: number) => codebooks[Math.floor((row * groups) / rows)]!;
  sweepColumns(
    layer,
    {
      enter(first, end, work, costs, firstRow) {
        for (let r = 0; r * cols < work.length; r++) {
          const row = firstRow + r;
          for (let c = Math.ceil(first / block) * block; c < end; c += block) {
            const values = work.subarray(r * cols + c, r * cols + Math.min(c + block, cols));
            const at = row * blocks + c / block;
            scales[at] = fittedScale(values, costs.subarray(c), codebookOf(row), start[at]!);
          }
        }
      },
      store(row, column, value) {
        const scale = scales[row * blocks + Math.floor(column / block)]!;
        const codebook = codebookOf(row);
        const index = scale === 0 ? 0 : codebook.nearest(value / scale);
        q[row * paddedCols + column] = index - 2 ** (bits - 1);
        return Math.fround(codebook.levels[index]! * scale);
      },
    },
    { step: block < cols ? Math.max(1, Math.floor(COLUMNS / block)) * block : COLUMNS },
  );
  return {
    format: { bits, block: format.block },
    rows,
    cols,
    paddedCols,
    block,
    q,
    scales,
    codebooks: Float32Array.from(codebooks.flatMap(({ levels }) => [...levels])),
  };
}

/** Up to here a block has so few numbers that its largest is a level of its own. */
const SHORT = 64;

/**
 * A first scale for each block: the number of largest size, sign and all, so that one level stands for all extremes;
 * of long blocks, where the largest is an outlier, three times the root of the mean square.
 */
function firstScales({ matrix: { data, rows, cols } }: Layer, block: number): Float32Array {
  const blocks = Math.ceil(cols / block);
  const scales = new Float32Array(rows * blocks);
  for (let r = 0; r < rows; r++) {
    for (let b = 0; b < blocks; b++) {
      let extreme = 0;
      let squares = 0;
      const end = Math.min((b + 1) * block, cols);
      for (let c = b * block; c < end; c++) {
        const value = data[r * cols + c]!;
        if (Math.abs(value) > Math.abs(extreme)) extreme = value;
        squares += value * value;
      }
      const typical = 3 * Math.sqrt(squares / (end - b * block));
      scales[r * blocks + b] = block <= SHORT ? extreme : typical;
    }
  }
  return scales;
}

/** A codebook for each group of rows, rounded as it will be stored. */
function fitCodebooks(
  layer: Layer,
  scales: Float32Array,
  block: number,
  size: number,
  groups: number,
): Codebook[] {
  const { data, rows, cols } = layer.matrix;
  const blocks = Math.ceil(cols / block);
  const costs = columnCosts(layer);
  const codebooks = new Float32Array(groups * size);
  const groupRows = rows / groups;
  const values = new Float32Array(groupRows * cols);
  const weights = new Float64Array(groupRows * cols);
  for (let g = 0; g < groups; g++) {
    for (let r = 0, i = 0; r < groupRows; r++) {
      const row = g * groupRows + r;
      const cost = costs[Math.floor((row * costs.length) / rows)]!;
      for (let c = 0; c < cols; c++, i++) {
        const scale = scales[row * blocks + Math.floor(c / block)]!;
        values[i] = scale === 0 ? 0 : data[row * cols + c]! / scale;
        weights[i] = cost[c]! * scale * scale;
      }
    }
    const levels = bestCodebook(values, size, weights);
    // Where there are fewer numbers than levels, the last one is there several times.
    for (let k = 0; k < size; k++) codebooks[g * size + k] = levels[Math.min(k, levels.length - 1)] ?? 0;
  }
  const stored = codebooks.map(halfPrecision);
  return Array.from({ length: groups }, (_, g) => new Codebook(stored.subarray(g * size, (g + 1) * size)));
}

/** Changes scales to those that suit the codebooks. */
function fitScales(layer: Layer, scales: Float32Array, block: number, codebooks: readonly Codebook[]): void {
  const { data, rows, cols } = layer.matrix;
  const blocks = Math.ceil(cols / block);
  const costs = columnCosts(layer);
  const row = new Float64Array(cols);
  for (let r = 0; r < rows; r++) {
    const cost = costs[Math.floor((r * costs.length) / rows)]!;
    const codebook = codebooks[Math.floor((r * codebooks.length) / rows)]!;
    row.set(data.subarray(r * cols, (r + 1) * cols));
    for (let b = 0; b < blocks; b++) {
      const values = row.subarray(b * block, Math.min((b + 1) * block, cols));
      const at = r * blocks + b;
      scales[at] = fittedScale(values, cost.subarray(b * block), codebook, scales[at]!);
    }
  }
}

/** Shares of a block's scale that are tried, after the block upside down. */
const SHARES = [0.94, 1.07, 0.87, 1.14, 0.8];

/** Of several scales the one with which the levels come nearest to a block's numbers. */
function fittedScale(values: Float64Array, costs: Float64Array, codebook: Codebook, start: number): number {
  let best = halfPrecision(start);
  let least = distance(values, costs, codebook, best, Infinity);
  const attempt = (scale: number) => {
    if (scale === 0) return;
    const sum = distance(values, costs, codebook, scale, least);
    if (sum < least) [best, least] = [scale, sum];
  };
  attempt(-best);
  const nearest = best;
  for (const share of SHARES) attempt(halfPrecision(share * nearest));
  return best;
}

/** Σ cost · (value − scale · level)², given up once it exceeds `limit`. */
function distance(
  values: Float64Array,
  costs: Float64Array,
  codebook: Codebook,
  scale: number,
  limit: number,
): number {
  if (scale === 0) return Infinity;
  const inverse = 1 / scale;
  let sum = 0;
  for (let i = 0; i < values.length && sum < limit; i++) {
    const value = values[i]!;
    const error = value - scale * codebook.levels[codebook.nearest(value * inverse)]!;
    sum += error * error * costs[i]!;
  }
  return sum;
}
