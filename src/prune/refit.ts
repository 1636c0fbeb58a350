import { type InputVectors, inputVectors } from '../calibrate/second-moment.js';
import { fromMatrix, toMatrix } from '../compress/matrix.js';
import { findSites, type Site } from '../compress/sites.js';
import type { Sample } from '../data/sample.js';
import { dtypeCode, isFloat } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import { cholesky, type DenseMatrix, matmul, matrix, solveTriangular, transpose } from '../linalg/index.js';
import { createSession } from '../runtime/index.js';
import { addToBias, readsBias } from './bias.js';
import { ridgeShare } from './consumers.js';
import { mergeModels } from './merge.js';
import type { Shrunk } from './remove.js';

export interface RefitOptions {
  readonly threads?: number | undefined;
  /** Layers are refit in so many turns at most, each turn reading what the turns before made of its inputs. */
  readonly turns?: number;
  readonly onTurn?: (done: number, total: number) => void;
}

/** A layer before and after pruning. */
interface Pair {
  readonly whole: Site;
  readonly pruned: Site;
  /** Rows and groups of the whole layer that are left. */
  readonly rows: readonly number[];
  readonly groups: readonly number[];
  readonly wide: InputVectors;
  readonly narrow: Pick<InputVectors, 'groups' | 'width'>;
}

/** Wider layers are left as they are: their moments would not fit into memory. */
const MAX_WIDTH = 4096;

/**
 * Refits the weights and biases of a pruned model, in place, so that each layer says again what it said: with x what it
 * read in the original and z what it reads now, W' = W · Cov(x, z) · Cov(z, z)⁻¹ and b' = b + W E x − W' E z. Layers go in
 * the order of the graph, so that each makes up for what those before it could not.
 * @param model the original
 * @see Y. He, X. Zhang, J. Sun: Channel Pruning for Accelerating Very Deep Neural Networks, ICCV 2017
 */
export async function refit(
  model: Model,
  shrunk: Shrunk,
  samples: readonly Sample[],
  { threads, turns = 12, onTurn }: RefitOptions = {},
): Promise<void> {
  const pairs = pairSites(model, shrunk);
  const size = Math.max(1, Math.ceil(pairs.length / turns));
  for (let first = 0; first < pairs.length; first += size) {
    onTurn?.(Math.floor(first / size), Math.ceil(pairs.length / size));
    await refitTurn(model, shrunk.model, pairs.slice(first, first + size), samples, threads);
  }
}

/** The layers that can be refit, in the order of the graph. */
function pairSites(model: Model, { model: pruned, copies, keptOf }: Shrunk): Pair[] {
  const after = new Map(findSites(pruned).map(site => [site.value, site]));
  const pairs: Pair[] = [];
  for (const whole of findSites(model)) {
    const twin = after.get(copies.get(whole.value)!);
    if (!twin || whole.uses.length !== 1 || whole.mixed || !readsBias(whole)) continue;
    const [wide] = inputVectors(whole) ?? [];
    const [narrow] = inputVectors(twin) ?? [];
    if (!wide || !narrow || wide.width > MAX_WIDTH) continue;
    const all = whole.tensor.dims[whole.layout.perm[0]!]!;
    const rows = keptOf(whole.value, whole.layout.perm[0]!) ?? Array.from({ length: all }, (_, i) => i);
    const groups = [...new Set(rows.map(row => Math.floor((row * wide.groups) / all)))];
    if (groups.length === narrow.groups) pairs.push({ whole, pruned: twin, rows, groups, wide, narrow });
  }
  return pairs;
}

/** Sums over all vectors of all samples, group by group. */
class CrossMoment {
  readonly pair: Pair;
  readonly outputs: readonly Value[];
  count = 0;
  readonly sums: Float64Array<ArrayBuffer>[] = [];

  constructor(graph: Graph, pair: Pair, x: Value, z: Value, opset: number) {
    this.pair = pair;
    const wide = pair.wide.build(graph, asFloat32(graph, x), opset);
    const narrow = inputVectors(pair.pruned)![0]!.build(graph, asFloat32(graph, z), opset);
    const asRows = ({ value, as }: typeof wide): Value =>
      as === 'rows' ? value : graph.op('Transpose', [value], { perm: [0, 2, 1] });
    let rows = asRows(wide);
    if (pair.wide.groups !== pair.narrow.groups) {
      rows = graph.op('Gather', [rows, graph.constant(Tensor.int64(pair.groups), 'groups')], { axis: 0 });
    }
    const after = asRows(narrow);
    const columns = (value: Value) => graph.op('Transpose', [value], { perm: [0, 2, 1] });
    const total = (value: Value) =>
      opset < 13
        ? graph.op('ReduceSum', [value], { axes: [1], keepdims: 0 })
        : graph.op('ReduceSum', [value, graph.constant(Tensor.int64([1]), 'axes')], { keepdims: 0 });
    this.outputs = [
      graph.op('MatMul', [columns(rows), after]),
      graph.op('MatMul', [columns(after), after]),
      total(rows),
      total(after),
      graph.op('Size', [after]),
    ];
  }

  add(results: Readonly<Record<string, Tensor>>): void {
    this.outputs.slice(0, 4).forEach(({ name }, i) => {
      const values = results[name]!.toFloat32();
      this.sums[i] ??= new Float64Array(values.length);
      const sum = this.sums[i]!;
      for (let k = 0; k < values.length; k++) sum[k]! += values[k]!;
    });
    const { groups, width } = this.pair.narrow;
    this.count += results[this.outputs[4]!.name]!.toNumbers()[0]! / (groups * width);
  }
}

/** Sums of float16 numbers would leave its range. */
const asFloat32 = (graph: Graph, value: Value): Value =>
  value.dtype === undefined || value.dtype === 'float32'
    ? value
    : graph.op('Cast', [value], { to: dtypeCode('float32') });

async function refitTurn(
  model: Model,
  pruned: Model,
  pairs: readonly Pair[],
  samples: readonly Sample[],
  threads: number | undefined,
): Promise<void> {
  const { model: both, first, second } = mergeModels(model, pruned);
  both.graph.outputs.length = 0;
  const moments = pairs.map(pair => {
    const x = first(pair.wide.activation);
    // An earlier turn may have put a bias before it.
    const z = second(inputVectors(pair.pruned)![0]!.activation);
    return new CrossMoment(both.graph, pair, x, z, both.opset);
  });
  for (const { outputs } of moments) for (const output of outputs) both.graph.addOutput(output);
  const session = await createSession(both, threads === undefined ? {} : { threads });
  try {
    for (const sample of samples) {
      const results = await session.run(sample);
      for (const moment of moments) moment.add(results);
    }
  } finally {
    await session.release();
  }
  for (const moment of moments) if (moment.count > 0) refitLayer(pruned, moment);
}

function refitLayer(model: Model, { pair, sums, count }: CrossMoment): void {
  const { whole, pruned, rows, narrow, wide } = pair;
  const [n, k] = [wide.width, narrow.width];
  const old = toMatrix(whole.tensor, whole.layout);
  const now = toMatrix(pruned.tensor, pruned.layout);
  const perGroup = rows.length / narrow.groups;
  const fitted = new Float32Array(now.data.length);
  const shift = new Float64Array(rows.length);
  for (let g = 0; g < narrow.groups; g++) {
    const [cross, own, meanX, meanZ] = sums.map((sum, i) => {
      const length = [n * k, k * k, n, k][i]!;
      return sum.slice(g * length, (g + 1) * length).map(value => value / count);
    }) as [Float64Array<ArrayBuffer>, Float64Array<ArrayBuffer>, Float64Array, Float64Array];
    const rounding = (1e-6 * trace(own, k)) / k;
    for (let i = 0; i < n; i++) for (let j = 0; j < k; j++) cross[i * k + j]! -= meanX[i]! * meanZ[j]!;
    for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) own[i * k + j]! -= meanZ[i]! * meanZ[j]!;
    // Where little is known of a direction, the weight stays what it was.
    const { l, added } = factorOf(own, k, (ridgeShare(k, count) * trace(own, k)) / k + rounding);
    const before = new Float64Array(perGroup * n);
    const kept = new Float64Array(perGroup * k);
    for (let r = 0; r < perGroup; r++) {
      const row = rows[g * perGroup + r]!;
      before.set(old.data.subarray(row * n, (row + 1) * n), r * n);
      kept.set(now.data.subarray((g * perGroup + r) * k, (g * perGroup + r + 1) * k), r * k);
    }
    const wanted = matmul(matrix(before, perGroup, n), matrix(cross, n, k)).data;
    for (let i = 0; i < wanted.length; i++) wanted[i]! += added * kept[i]!;
    const solved = solveRight(matrix(wanted, perGroup, k), l);
    fitted.set(solved.data, g * perGroup * k);
    for (let r = 0; r < perGroup; r++) {
      let difference = 0;
      for (let i = 0; i < n; i++) difference += before[r * n + i]! * meanX[i]!;
      for (let j = 0; j < k; j++) difference -= solved.data[r * k + j]! * meanZ[j]!;
      shift[g * perGroup + r] = difference;
    }
  }
  if (!fitted.every(Number.isFinite) || !shift.every(Number.isFinite)) return;
  const { tensor, layout, value } = pruned;
  setConstant(value, Tensor.fromNumbers(tensor.dtype, tensor.dims, fromMatrix(fitted, tensor.dims, layout)));
  addToBias(model.graph, pruned, shift);
}

/**
 * The Cholesky factor of C + added · I. Sums come out of ONNX Runtime in float32, whose rounding can exceed the smallest
 * eigenvalues; then the ridge grows until it covers that.
 */
function factorOf(covariance: Float64Array, width: number, least: number): { l: DenseMatrix; added: number } {
  for (let added = Math.max(least, 1e-12); ; added *= 10) {
    const data = Float64Array.from(covariance);
    for (let i = 0; i < width; i++) data[i * width + i]! += added;
    try {
      return { l: cholesky(matrix(data, width, width)).l, added };
    } catch (error) {
      if (!(error instanceof WhittleError) || added > 1e6 * least) throw error;
    }
  }
}

function trace(matrix: Float64Array, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += Math.max(0, matrix[i * width + i]!);
  return sum;
}

/** b · (l lᵀ)⁻¹ */
function solveRight(b: DenseMatrix, l: DenseMatrix): DenseMatrix {
  const half = solveTriangular(l, transpose(b));
  return transpose(solveTriangular(l, half, { transpose: true }));
}

/** Puts another tensor into an initializer or a Constant node. */
export function setConstant(value: Value, tensor: Tensor): void {
  if (!isFloat(tensor.dtype)) throw new Error('only float weights are refit');
  if (value.initializer) value.initializer = tensor;
  else {
    value.producer!.attributes.clear();
    value.producer!.setAttribute('value', tensor);
  }
}
