import type { Moment, Observation } from '../calibrate/observe.js';
import type { Site } from '../calibrate/sites.js';
import { type DenseMatrix, type InverseFactor, matmul, matrix } from '../linalg/index.js';
import { toMatrix, type WeightMatrix } from './matrix.js';
import type { Candidate } from './method.js';
import { momentOfOutputs, quadraticForm, trace, whiteningFactor } from './moments.js';
import { feedbackFactor } from './rounding/error-feedback.js';

/**
 * A site with its weight as a matrix and what calibration saw of its inputs. All errors are closed-form: replacing W
 * by Ŵ changes the layer's output by tr((W − Ŵ) S (W − Ŵ)ᵀ), S = Σ x xᵀ.
 */
export class Layer {
  readonly site: Site;
  readonly groups: number;
  private readonly observe: () => Observation;
  private held: Observation | undefined;
  private weight: WeightMatrix | undefined;
  /** At rest, what is read again is kept for a moment only: see `recent`. */
  private resting = false;
  private spread: number | undefined;
  private total: number | undefined;
  private readonly wholes = new Map<number, DenseMatrix>();
  private readonly outputs = new Map<number, DenseMatrix>();
  private rows: Layer | undefined;

  /**
   * @param observation what calibration saw, or what reads it; then it is read when it is needed
   * @param weight some rows of the site's weight, in the place of all
   */
  constructor(site: Site, observation: Observation | (() => Observation) = {}, weight?: WeightMatrix) {
    this.site = site;
    this.weight = weight;
    this.observe = typeof observation === 'function' ? observation : () => observation;
    this.groups = site.kind === 'conv' ? site.uses[0]!.node.int('group', 1) : 1;
  }

  /** What calibration saw of it. */
  get observation(): Observation {
    if (this.held) return this.held;
    const known = this.resting ? recent(this) : undefined;
    const observation = known?.observation ?? this.observe();
    if (known) known.observation = observation;
    else this.held = observation;
    return observation;
  }

  /** The weight, (rows, cols). */
  get matrix(): WeightMatrix {
    if (this.weight) return this.weight;
    const known = this.resting ? recent(this) : undefined;
    const weight = known?.weight ?? toMatrix(this.site.tensor, this.site.layout);
    if (known) known.weight = weight;
    else this.weight = weight;
    return weight;
  }

  /** Whether errors in some rows count more than in others: rows of a table that are used more often. */
  get weighsRows(): boolean {
    return this.observation.tokenCounts !== undefined;
  }

  /** Lets go of what can be read again or computed again, until it is asked for. */
  rest(): void {
    const moment = this.held?.moment;
    if (moment && moment.width >= WIDE) FACTORS.delete(moment);
    this.resting = true;
    this.held = undefined;
    this.weight = undefined;
    this.wholes.clear();
    this.outputs.clear();
    this.rows = undefined;
  }

  /**
   * Some rows of a large layer, evenly spaced, as a layer of their own: where each row is rounded by itself, their
   * relative error is that of all within a percent or two, for a fraction of the work. `undefined` where the whole is
   * quickly done.
   */
  get sample(): Layer | undefined {
    const { data, rows, cols } = this.matrix;
    const count = this.weighsRows ? SAMPLE.weighted : SAMPLE.alike;
    if (this.groups > 1 || rows < 2 * count || rows * cols ** 2 < SAMPLED_FROM) return undefined;
    if (this.rows) return this.rows;
    const { moment, tokenCounts } = this.observation;
    const chosen = sampledRows(rows, count);
    const part = new Float32Array(count * cols);
    for (const [i, row] of chosen.entries()) part.set(data.subarray(row * cols, (row + 1) * cols), i * cols);
    const counts = tokenCounts && Float64Array.from(chosen, row => tokenCounts[row]!);
    const observation = { ...(moment && { moment }), ...(counts && { tokenCounts: counts }) };
    this.rows = new Layer(this.site, observation, { data: part, rows: count, cols });
    return this.rows;
  }

  /** Σ x xᵀ and its companions, where calibration could see them and saw anything. */
  get moment(): Moment | undefined {
    const { moment } = this.observation;
    return moment && moment.count > 0 ? moment : undefined;
  }

  /**
   * ‖y − ŷ‖ / ‖y − ȳ‖ of the layer's output over the calibration inputs, ȳ its mean. Without calibration the same of
   * the weight's rows: every input counts alike.
   * @param replacement in matrix order, (rows, cols)
   */
  error(replacement: Float32Array): number {
    const difference = new Float64Array(replacement.length);
    for (let i = 0; i < difference.length; i++) difference[i] = this.matrix.data[i]! - replacement[i]!;
    return this.relativeError(this.energy(difference));
  }

  /** Σ (x · row)² over the inputs, for each row of a (…, cols) matrix that stands for inputs of one group. */
  energies(rows: Float32Array, group: number): Float64Array {
    const { cols } = this.matrix;
    const count = rows.length / cols;
    const d = matrix(Float64Array.from(rows), count, cols);
    const product = this.moment ? matmul(d, matrix(this.moment.second[group]!, cols, cols)) : d;
    const sums = new Float64Array(count);
    for (let i = 0; i < d.data.length; i++) sums[Math.floor(i / cols)]! += d.data[i]! * product.data[i]!;
    return sums;
  }

  /** The error that an energy of the difference stands for, see `error`. */
  relativeError(energy: number): number {
    this.spread ??= this.spreadOfOutput();
    return energy <= 0 ? 0 : Math.sqrt(energy / this.spread);
  }

  /** Σ ‖D x‖² over the inputs. */
  private energy(d: Float64Array<ArrayBuffer>): number {
    const { rows, cols } = this.matrix;
    if (!this.moment) return this.weightEnergy(d);
    const groupRows = rows / this.groups;
    let sum = 0;
    for (let g = 0; g < this.groups; g++) {
      const part = d.subarray(g * groupRows * cols, (g + 1) * groupRows * cols);
      sum += quadraticForm(part, groupRows, cols, this.moment.second[g]!);
    }
    return Math.max(0, sum);
  }

  /** Every input alike, or rows of an embedding as often as they were used; rows never used count a little. */
  private weightEnergy(d: Float64Array): number {
    const { rows, cols } = this.matrix;
    const weights = this.rowWeights();
    let sum = 0;
    for (let r = 0; r < rows; r++) {
      let row = 0;
      for (let c = 0; c < cols; c++) row += d[r * cols + c]! ** 2;
      sum += row * (weights ? weights[r]! : 1);
    }
    return sum;
  }

  /** The error of a candidate for this layer in closed form. */
  errorOf(candidate: Candidate): number {
    return candidate.error?.() ?? this.error(candidate.weight());
  }

  /**
   * `error` of a rounded weight from what its rounding is known to have cost, without another product with S.
   * @param losses d (S + ridge · 1) dᵀ of each row's error d with the ridge of `feedback`, or d dᵀ without calibration
   */
  errorOfLosses(losses: Float64Array, replacement: Float32Array): number {
    const { data, rows, cols } = this.matrix;
    const factors = this.feedback();
    const weights = factors ? undefined : this.rowWeights();
    let energy = 0;
    for (let r = 0; r < rows; r++) {
      let squares = 0;
      const ridge = factors ? factors[Math.floor((r * this.groups) / rows)]!.ridge : 0;
      if (ridge > 0) {
        for (let i = r * cols; i < (r + 1) * cols; i++) squares += (data[i]! - replacement[i]!) ** 2;
      }
      energy += (losses[r]! - ridge * squares) * (weights ? weights[r]! : 1);
    }
    return this.relativeError(energy);
  }

  /** What a squared error in each row counts, where rows do not count alike. */
  rowWeights(): Float64Array | undefined {
    const counts = this.observation.tokenCounts;
    if (!counts) return undefined;
    const floor = (0.1 * counts.reduce((a, b) => a + b, 0)) / counts.length;
    return counts.map(count => count + floor);
  }

  /** Σ ‖W x‖² over the inputs. */
  get ownEnergy(): number {
    if (this.total !== undefined) return this.total;
    const { data, rows, cols } = this.matrix;
    // What decompositions need as well tells it in passing.
    const known = this.groups === 1 && rows <= cols && rows * cols >= 4096 ? this.outputMoment(0) : undefined;
    this.total = known ? trace(known) : this.energy(Float64Array.from(data));
    return this.total;
  }

  private spreadOfOutput(): number {
    const { data, rows, cols } = this.matrix;
    const energy = this.ownEnergy;
    if (!this.moment) return energy;
    const { first, count } = this.moment;
    let constant = 0;
    for (let r = 0; r < rows; r++) {
      const mean = first[Math.floor(r / (rows / this.groups))]!;
      let product = 0;
      for (let c = 0; c < cols; c++) product += data[r * cols + c]! * mean[c]!;
      constant += product ** 2 / count;
    }
    return Math.max(energy - constant, 1e-12 * energy);
  }

  /** L with S = L Lᵀ (lower triangular) of one group; a missing rank is filled by a small ridge. */
  whitening(group: number): DenseMatrix | undefined {
    if (!this.moment) return undefined;
    const known = this.wholes.get(group);
    if (known) return known;
    const { width } = this.moment;
    const l = whiteningFactor(this.moment.second[group]!, width, 1e-6);
    this.wholes.set(group, l);
    return l;
  }

  /** W S Wᵀ of one group, Σ y yᵀ of its outputs less their bias; `undefined` without calibration. */
  outputMoment(group: number): DenseMatrix | undefined {
    if (!this.moment) return undefined;
    const known = this.outputs.get(group);
    if (known) return known;
    const { data, rows, cols } = this.matrix;
    const groupRows = rows / this.groups;
    const part = data.subarray(group * groupRows * cols, (group + 1) * groupRows * cols);
    const w = matrix(part as Float32Array<ArrayBuffer>, groupRows, cols);
    const outputs = momentOfOutputs(w, this.moment.second[group]!);
    this.outputs.set(group, outputs);
    return outputs;
  }

  /** What error feedback needs, for each group; `undefined` without calibration. */
  feedback(): readonly InverseFactor[] | undefined {
    const { moment } = this;
    if (!moment) return undefined;
    const known = FACTORS.get(moment);
    if (known) return known;
    const factors = moment.second.map(second => feedbackFactor(second, moment.width));
    FACTORS.set(moment, factors);
    return factors;
  }
}

interface Recent {
  readonly layer: Layer;
  observation?: Observation;
  weight?: WeightMatrix;
}

let lately: Recent | undefined;

/**
 * What the layer at rest that was asked last has read again, until another is asked or the event loop turns. References
 * that are weak would keep it longer: all that they led to in a loop over layers lives until that loop ends.
 */
function recent(layer: Layer): Recent {
  if (lately?.layer === layer) return lately;
  lately = { layer };
  setTimeout(() => {
    if (lately?.layer === layer) lately = undefined;
  });
  return lately;
}

/** Rows that stand for all: more where some count far more than others. */
const SAMPLE = { alike: 256, weighted: 4096 };

/** From so many products on, error feedback in all rows is worth avoiding. */
const SAMPLED_FROM = 2 ** 28;

/** So many of a number of rows, evenly spaced. */
const sampledRows = (rows: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * rows) / count));

/** Factors of wider layers are made again when they are needed: all of a large model's would take gigabytes. */
const WIDE = 2048;

/** Layers that read the same vectors share the factors. */
const FACTORS = new WeakMap<Moment, InverseFactor[]>();
