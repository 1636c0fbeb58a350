import type { Moment } from '../../calibrate/observe.js';
import type { Site } from '../../calibrate/sites.js';
import { toMatrix } from '../../compress/matrix.js';
import { cholesky, type DenseMatrix, matmul, matrix, solveTriangular } from '../../linalg/index.js';
import { type Consumer, ridge, ridgeShare, statisticsOf } from '../consumers.js';
import type { ChannelGroup } from '../groups.js';
import type { Label } from '../labels.js';
import type { RemovalCurve } from './curve.js';

/**
 * Importance by what the layers that read the channels can no longer say, when their other weights are refit in the best
 * way: removing the columns Q of a layer whose inputs have the second moment C costs tr(W_Q [(C⁻¹)_QQ]⁻¹ W_Qᵀ), against the variance
 * of its output. Channels go in rounds, the weights and C⁻¹ updated after each, so that of two channels that say the same
 * one stays.
 * @see B. Hassibi, D. Stork: Second order derivatives for network pruning, NeurIPS 1992
 */
export function reconstructionCurve(
  group: ChannelGroup,
  steps: readonly number[],
  readers: readonly Reader[],
  probe = -1,
): ProbedCurve {
  const channelOf = new Map(group.atoms.map((atom, channel) => [atom, channel]));
  const states = readers.map(reader => new State(reader, channelOf, group.size));
  const left = new Set(group.atoms.keys());
  const order: number[] = [];
  const errors: number[] = [];
  let error = 0;
  let weights = new Map<Site, Float32Array>();
  for (const [i, step] of steps.entries()) {
    const scores = new Map([...left].map(channel => [channel, 0]));
    for (const state of states) {
      for (const channel of left) scores.set(channel, scores.get(channel)! + state.costOf(channel));
    }
    const going = [...left].sort((a, b) => scores.get(a)! - scores.get(b)!).slice(0, step - order.length);
    for (const state of states) error += state.remove(going);
    for (const channel of going) left.delete(channel);
    order.push(...going);
    errors.push(error);
    if (i === probe) weights = joined(states);
  }
  const rest = [...left];
  return { group, order: [...order, ...rest], steps, errors, weights };
}

/** A curve with the refit weights of all readers at one of its steps, the columns that went being zero. */
export interface ProbedCurve extends RemovalCurve {
  /** In matrix order. */
  readonly weights: ReadonlyMap<Site, Float32Array>;
}

/** Groups of one convolution lie one below the other. */
function joined(states: readonly State[]): Map<Site, Float32Array> {
  const weights = new Map<Site, Float32Array>();
  for (const { site, weight } of states) {
    const above = weights.get(site) ?? new Float32Array();
    const all = new Float32Array(above.length + weight.length);
    all.set(above);
    all.set(weight, above.length);
    weights.set(site, all);
  }
  return weights;
}

/** The weight of a layer, or of one group of a convolution, with the inverse covariance of what it reads. */
export interface Reader {
  readonly site: Site;
  /** (rows, cols) */
  readonly weight: DenseMatrix;
  /** C⁻¹, (cols, cols), C the second moment of the inputs over their number. */
  readonly inverse: DenseMatrix;
  /** Variance of the output. */
  readonly spread: number;
  readonly columns: readonly (readonly Label[])[];
}

/** @param moment what the layer read; without it, inputs count as white */
export function openReaders({ site, columns }: Consumer, moment: Moment | undefined): Reader[] {
  const { data, rows, cols } = toMatrix(site.tensor, site.layout);
  const groups = moment?.groups ?? 1;
  const groupRows = rows / groups;
  return Array.from({ length: groups }, (_, g) => {
    const weight = matrix(
      Float64Array.from(data.subarray(g * groupRows * cols, (g + 1) * groupRows * cols)),
      groupRows,
      cols,
    );
    if (!moment) return { site, weight, columns, inverse: identity(cols), spread: energy(weight, weight) };
    const { covariance } = statisticsOf(moment, g);
    const second = moment.second[g]!.map(sum => sum / moment.count);
    ridge(second, cols, ridgeShare(cols, moment.count));
    const root = solveTriangular(cholesky(matrix(second, cols, cols)).l, identity(cols));
    return {
      site,
      weight,
      columns,
      inverse: matmul(root, root, { transposeA: true }),
      spread: energy(weight, matmul(weight, matrix(covariance, cols, cols))),
    };
  });
}

const identity = (size: number): DenseMatrix => {
  const data = new Float64Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = 1;
  return matrix(data, size, size);
};

function energy(a: DenseMatrix, b: DenseMatrix): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i]! * b.data[i]!;
  return Math.max(sum, 1e-30);
}

/** A reader while channels go. */
class State {
  readonly site: Site;
  readonly weight: Float64Array<ArrayBuffer>;
  private readonly inverse: Float64Array<ArrayBuffer>;
  private readonly rows: number;
  private readonly cols: number;
  private readonly spread: number;
  /** The columns of each channel. */
  private readonly columnsOf: readonly (readonly number[])[];
  private readonly gone: Set<number> = new Set();

  constructor(reader: Reader, channelOf: ReadonlyMap<Label, number>, size: number) {
    this.site = reader.site;
    this.weight = reader.weight.data.slice();
    this.inverse = reader.inverse.data.slice();
    this.rows = reader.weight.rows;
    this.cols = reader.weight.cols;
    this.spread = reader.spread;
    const columns = Array.from({ length: size }, (): number[] => []);
    reader.columns.forEach((atoms, column) => {
      for (const atom of atoms) {
        const channel = channelOf.get(atom);
        if (channel !== undefined) columns[channel]!.push(column);
      }
    });
    this.columnsOf = columns;
  }

  /** The error of removing one channel more. */
  costOf(channel: number): number {
    const columns = this.columnsOf[channel]!.filter(column => !this.gone.has(column));
    if (columns.length === 0) return 0;
    if (columns.length > 1) return this.factor(columns).error / this.spread;
    const [column] = columns as [number];
    let sum = 0;
    for (let r = 0; r < this.rows; r++) sum += this.weight[r * this.cols + column]! ** 2;
    return sum / this.inverse[column * this.cols + column]! / this.spread;
  }

  /** Removes channels and refits what is left. @returns the error that it adds */
  remove(channels: readonly number[]): number {
    const columns = channels.flatMap(channel => this.columnsOf[channel]!).filter(c => !this.gone.has(c));
    if (columns.length === 0) return 0;
    const { weight, inverse, rows, cols } = this;
    const { error, l, u } = this.factor(columns);
    const strip = new Float64Array(columns.length * cols);
    columns.forEach((column, i) => {
      strip.set(inverse.subarray(column * cols, (column + 1) * cols), i * cols);
    });
    const t = solveTriangular(l, matrix(strip, columns.length, cols));
    subtract(weight, matmul(u, t, { transposeA: true }).data);
    subtract(inverse, matmul(t, t, { transposeA: true }).data);
    for (const column of columns) {
      this.gone.add(column);
      for (let r = 0; r < rows; r++) weight[r * cols + column] = 0;
    }
    return error / this.spread;
  }

  /** [(C⁻¹)_QQ] = l lᵀ and u = l⁻¹ W_Qᵀ, whose squares are the error. */
  private factor(columns: readonly number[]): { error: number; l: DenseMatrix; u: DenseMatrix } {
    const size = columns.length;
    const block = new Float64Array(size * size);
    const own = new Float64Array(size * this.rows);
    columns.forEach((column, i) => {
      columns.forEach((other, j) => {
        block[i * size + j] = this.inverse[column * this.cols + other]!;
      });
      for (let r = 0; r < this.rows; r++) own[i * this.rows + r] = this.weight[r * this.cols + column]!;
    });
    const { l } = cholesky(matrix(block, size, size));
    const u = solveTriangular(l, matrix(own, size, this.rows));
    let error = 0;
    for (const value of u.data) error += value * value;
    return { error, l, u };
  }
}

function subtract(from: Float64Array, what: Float64Array): void {
  for (let i = 0; i < from.length; i++) from[i]! -= what[i]!;
}
