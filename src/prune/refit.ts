import { inputVectors } from '../calibrate/second-moment.js';
import { fromMatrix, toMatrix } from '../compress/matrix.js';
import type { Sample } from '../data/sample.js';
import { dtypeCode, isFloat } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import { type Shape, tensorType, type Value } from '../graph/value.js';
import { cholesky, type DenseMatrix, matmul, matrix, solveTriangular, transpose } from '../linalg/index.js';
import { createSession } from '../runtime/index.js';
import { addToBias } from './bias.js';
import { ridgeShare } from './consumers.js';
import { mergeModels } from './merge.js';
import { type Pair, pairSites } from './pairs.js';
import type { Shrunk } from './remove.js';
import { gapOf, layOut, type Shortcut } from './shortcut.js';

export interface RefitOptions {
  readonly threads?: number | undefined;
  /** Layers are refit in so many turns at most; default 64. */
  readonly turns?: number;
  readonly onTurn?: (done: number, total: number) => void;
}

/**
 * Refits the weights and biases of a pruned model, in place, so that each layer says again what it said: with x what it
 * read in the original and z what it reads now, W' = W · Cov(x, z) · Cov(z, z)⁻¹ and b' = b + W E x − W' E z. Layers go in
 * the order of the graph, so that each makes up for what those before it could not; the last of a residual branch also for
 * what is wrong with the sum's other side.
 * @param model the original
 * @see Y. He, X. Zhang, J. Sun: Channel Pruning for Accelerating Very Deep Neural Networks, ICCV 2017
 */
export async function refit(
  model: Model,
  shrunk: Shrunk,
  samples: readonly Sample[],
  { threads, turns = 64, onTurn }: RefitOptions = {},
): Promise<void> {
  const pairs = pairSites(model, shrunk);
  const { depths, shortcuts } = layOut(shrunk.model, pairs);
  const deepest = Math.max(-1, ...depths.values());
  const size = Math.max(1, Math.ceil((deepest + 1) / turns));
  for (let first = 0; first <= deepest; first += size) {
    onTurn?.(first, deepest + 1);
    const turn = pairs.filter(pair => depths.get(pair)! >= first && depths.get(pair)! < first + size);
    await refitTurn(model, shrunk.model, turn, shortcuts, samples, threads);
  }
}

/** Sums over all vectors of all samples, group by group. */
class CrossMoment {
  readonly pair: Pair;
  readonly outputs: readonly Value[];
  /** Whether the gap follows x in its vectors. */
  readonly hasGap: boolean;
  count = 0;
  readonly sums: Float64Array<ArrayBuffer>[] = [];

  /** @param gap by how much the other side of a sum that follows is off, (batch, channels, …) or (…, channels) */
  constructor(graph: Graph, pair: Pair, x: Value, z: Value, gap: Value | undefined, opset: number) {
    this.pair = pair;
    this.hasGap = gap !== undefined;
    const wide = pair.wide.build(graph, asFloat32(graph, x), opset);
    const narrow = inputVectors(pair.pruned)![0]!.build(graph, asFloat32(graph, z), opset);
    const asRows = ({ value, as }: typeof wide): Value =>
      as === 'rows' ? value : graph.op('Transpose', [value], { perm: [0, 2, 1] });
    let rows = asRows(wide);
    if (pair.wide.groups !== pair.narrow.groups) {
      rows = graph.op('Gather', [rows, graph.constant(Tensor.int64(pair.groups), 'groups')], { axis: 0 });
    }
    if (gap) {
      const size = pair.rows.length;
      const flat =
        pair.pruned.kind === 'conv'
          ? graph.op(
              'Transpose',
              [
                graph.op('Reshape', [
                  channelsFirst(graph, asFloat32(graph, gap)),
                  graph.constant(Tensor.int64([1, size, -1])),
                ]),
              ],
              { perm: [0, 2, 1] },
            )
          : graph.op('Reshape', [asFloat32(graph, gap), graph.constant(Tensor.int64([1, -1, size]))]);
      rows = graph.op('Concat', [rows, flat], { axis: 2 });
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
      const sum = this.sums[i];
      for (let k = 0; k < values.length; k++) sum[k]! += values[k]!;
    });
    const { groups, width } = this.pair.narrow;
    this.count += results[this.outputs[4]!.name]!.toNumbers()[0]! / (groups * width);
  }
}

/** (batch, channels, height, width) → (channels, batch, height, width) */
const channelsFirst = (graph: Graph, value: Value): Value => {
  const perm = (value.shape ?? []).map((_, axis) => axis);
  perm.splice(0, 2, 1, 0);
  return graph.op('Transpose', [value], { perm });
};

/** Sums of float16 numbers would leave its range. */
const asFloat32 = (graph: Graph, value: Value): Value =>
  value.dtype === undefined || value.dtype === 'float32'
    ? value
    : withType(graph.op('Cast', [value], { to: dtypeCode('float32') }), value.shape);

function withType(value: Value, shape: Shape | undefined): Value {
  value.type = tensorType('float32', shape);
  return value;
}

async function refitTurn(
  model: Model,
  pruned: Model,
  pairs: readonly Pair[],
  shortcuts: ReadonlyMap<Pair, Shortcut>,
  samples: readonly Sample[],
  threads: number | undefined,
): Promise<void> {
  const { model: both, first, second } = mergeModels(model, pruned);
  both.graph.outputs.length = 0;
  const moments = pairs.map(pair => {
    const x = first(pair.wide.activation);
    // An earlier turn may have put a bias before it.
    const z = second(inputVectors(pair.pruned)![0]!.activation);
    const shortcut = shortcuts.get(pair);
    const gap = shortcut && gapOf(both.graph, pair, first(shortcut.whole), second(shortcut.pruned()));
    return new CrossMoment(both.graph, pair, x, z, gap, both.opset);
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

function refitLayer(model: Model, { pair, sums, count, hasGap }: CrossMoment): void {
  const { whole, pruned, rows, narrow, wide } = pair;
  // With a gap the target is [W I] applied to (x, gap).
  const own = wide.width;
  const [n, k] = [own + (hasGap ? rows.length : 0), narrow.width];
  const old = toMatrix(whole.tensor, whole.layout);
  const now = toMatrix(pruned.tensor, pruned.layout);
  const perGroup = rows.length / narrow.groups;
  const fitted = new Float32Array(now.data.length);
  const shift = new Float64Array(rows.length);
  for (let g = 0; g < narrow.groups; g++) {
    const [cross, square, meanX, meanZ] = sums.map((sum, i) => {
      const length = [n * k, k * k, n, k][i]!;
      return sum.slice(g * length, (g + 1) * length).map(value => value / count);
    }) as [Float64Array<ArrayBuffer>, Float64Array<ArrayBuffer>, Float64Array, Float64Array];
    const rounding = (1e-6 * trace(square, k)) / k;
    for (let i = 0; i < n; i++) for (let j = 0; j < k; j++) cross[i * k + j]! -= meanX[i]! * meanZ[j]!;
    for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) square[i * k + j]! -= meanZ[i]! * meanZ[j]!;
    // Where little is known of a direction, the weight stays what it was.
    const { l, added } = factorOf(square, k, (ridgeShare(k, count) * trace(square, k)) / k + rounding);
    const before = new Float64Array(perGroup * n);
    const kept = new Float64Array(perGroup * k);
    for (let r = 0; r < perGroup; r++) {
      const row = rows[g * perGroup + r]!;
      before.set(old.data.subarray(row * own, (row + 1) * own), r * n);
      if (hasGap) before[r * n + own + r] = 1;
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
function setConstant(value: Value, tensor: Tensor): void {
  if (!isFloat(tensor.dtype)) throw new Error('only float weights are refit');
  if (value.initializer) value.initializer = tensor;
  else {
    value.producer!.attributes.clear();
    value.producer!.setAttribute('value', tensor);
  }
}
