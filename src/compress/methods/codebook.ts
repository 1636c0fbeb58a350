/** Cells into which values are sorted before they are clustered; they are much finer than any codebook. */
const CELLS = 2048;

/**
 * The `count` numbers nearest to all values in the weighted mean square: k-means in one dimension, where the best
 * codebook can be found rather than approached. Values go into fine cells; the best cut of the sorted cells into
 * intervals is found by dynamic programming, a level's best cut moving only one way along the cells.
 * (Grønlund et al., "Fast exact k-means, k-medians and Bregman divergence clustering in 1D", 2017.)
 * @param weights what a squared error of each value counts; all alike where it is left out
 * @returns at most `count` numbers, rising
 */
export function bestCodebook(
  values: ArrayLike<number>,
  count: number,
  weights?: ArrayLike<number>,
): Float64Array {
  const cells = sortIntoCells(values, weights);
  const k = Math.min(count, cells.size);
  // cost[j]: of the first j cells in so many intervals as rounds were made.
  let cost = Float64Array.from({ length: cells.size + 1 }, (_, j) => cells.spread(0, j));
  const cuts: Int32Array[] = [];
  for (let level = 1; level < k; level++) {
    const next = new Float64Array(cells.size + 1).fill(Infinity);
    const cut = new Int32Array(cells.size + 1);
    bisect(cells, cost, next, cut, level + 1, cells.size, level, cells.size);
    cuts.push(cut);
    cost = next;
  }
  const levels = new Float64Array(k);
  let end = cells.size;
  for (let level = k - 1; level >= 0; level--) {
    const start = level === 0 ? 0 : cuts[level - 1]![end]!;
    levels[level] = cells.mean(start, end);
    end = start;
  }
  return levels;
}

/** The best last cut for each j in [low, high], known to lie in [from, to]. */
function bisect(
  cells: Cells,
  cost: Float64Array,
  next: Float64Array,
  cut: Int32Array,
  low: number,
  high: number,
  from: number,
  to: number,
): void {
  if (low > high) return;
  const middle = (low + high) >> 1;
  let best = from;
  for (let i = from; i <= Math.min(to, middle - 1); i++) {
    const sum = cost[i]! + cells.spread(i, middle);
    if (sum < next[middle]!) [next[middle], best] = [sum, i];
  }
  cut[middle] = best;
  bisect(cells, cost, next, cut, low, middle - 1, from, best);
  bisect(cells, cost, next, cut, middle + 1, high, best, to);
}

interface Cells {
  readonly size: number;
  mean(start: number, end: number): number;
  /** Σ weight · (value − mean)² of cells [start, end), less what their own width adds. */
  spread(start: number, end: number): number;
}

function sortIntoCells(values: ArrayLike<number>, weights: ArrayLike<number> | undefined): Cells {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < low) low = values[i]!;
    if (values[i]! > high) high = values[i]!;
  }
  const perUnit = high > low ? (CELLS - 1e-6) / (high - low) : 0;
  const mass = new Float64Array(CELLS);
  const moment = new Float64Array(CELLS);
  for (let i = 0; i < values.length; i++) {
    const cell = Math.floor((values[i]! - low) * perUnit);
    const weight = weights ? weights[i]! : 1;
    mass[cell]! += weight;
    moment[cell]! += weight * values[i]!;
  }
  const used = [...mass.keys()].filter(cell => mass[cell]! > 0);
  const size = used.length;
  // Sums over the first so many cells, of weights, of values and of squares.
  const sums = [new Float64Array(size + 1), new Float64Array(size + 1), new Float64Array(size + 1)] as const;
  for (const [i, cell] of used.entries()) {
    sums[0][i + 1] = sums[0][i]! + mass[cell]!;
    sums[1][i + 1] = sums[1][i]! + moment[cell]!;
    sums[2][i + 1] = sums[2][i]! + moment[cell]! ** 2 / mass[cell]!;
  }
  const between = (sum: Float64Array, start: number, end: number) => sum[end]! - sum[start]!;
  return {
    size,
    mean: (start, end) => between(sums[1], start, end) / between(sums[0], start, end),
    spread(start, end) {
      const total = between(sums[0], start, end);
      if (total <= 0) return 0;
      return Math.max(0, between(sums[2], start, end) - between(sums[1], start, end) ** 2 / total);
    },
  };
}

/** Cells of a `Codebook`'s table. */
const TABLE = 256;

/** Finds the nearest of a few rising numbers. */
export class Codebook {
  readonly levels: Float32Array;
  /** Half-way between neighbours. */
  private readonly cuts: Float64Array;
  /** For each cell of the range a level at or before the nearest. */
  private readonly table = new Uint8Array(TABLE);
  private readonly low: number;
  private readonly perUnit: number;

  /** @param levels 1 to 256 of them */
  constructor(levels: Float32Array) {
    this.levels = levels;
    const last = levels.length - 1;
    this.cuts = Float64Array.from({ length: last }, (_, i) => (levels[i]! + levels[i + 1]!) / 2);
    this.low = levels[0]!;
    const range = levels[last]! - this.low;
    this.perUnit = range > 0 ? (TABLE - 1) / range : 0;
    for (let i = 1, level = 0; i < TABLE; i++) {
      // Where the cell before begins, for what rounding does to the cell that a value falls into.
      while (level < last && this.low + (i - 1) / (this.perUnit || 1) > this.cuts[level]!) level++;
      this.table[i] = level;
    }
  }

  /** Index of the level nearest to a value. */
  nearest(value: number): number {
    const cell = Math.max(0, Math.min(TABLE - 1, Math.floor((value - this.low) * this.perUnit)));
    let level = this.table[cell]!;
    while (level < this.cuts.length && value > this.cuts[level]!) level++;
    return level;
  }
}
