import { matmul } from './matmul.js';
import { assertRank, type DenseMatrix } from './matrix.js';
import { svd } from './svd.js';
import { assertMultiway, fold, type Multiway, normOf, unfold } from './unfold.js';

export interface Tucker2Options {
  /** Rounds of alternating refinement after the first guess; 10 unless given. */
  iterations?: number;
}

/** kernel[o, i, …] ≈ Σ outputs[o, p] · core[p, q, …] · inputs[i, q] */
export interface Tucker2 {
  /** out × rₒ, orthonormal columns: a 1×1 convolution at the end. */
  readonly outputs: DenseMatrix;
  /** in × rᵢ, orthonormal columns: its transpose is a 1×1 convolution at the start. */
  readonly inputs: DenseMatrix;
  /** (rₒ, rᵢ, …): the small convolution between them. */
  readonly core: { readonly data: Float64Array<ArrayBuffer>; readonly dims: readonly number[] };
  /** ‖kernel − approximation‖ / ‖kernel‖ */
  readonly error: number;
}

/**
 * Tucker decomposition of a convolution kernel along its channel axes: the higher-order SVD, then higher-order
 * orthogonal iteration (De Lathauwer, De Moor & Vandewalle 2000), as Kim et al. 2016 ("Compression of deep
 * convolutional neural networks for fast and low power mobile applications") use it.
 * @param kernel shape (out, in, …)
 * @param ranks [rₒ, rᵢ], rₒ ≤ out, rᵢ ≤ in
 * @throws WhittleError for ranks out of range, a shape that does not fit, NaN and infinite elements
 */
export function tucker2(
  kernel: Multiway,
  ranks: readonly [number, number],
  options: Tucker2Options = {},
): Tucker2 {
  assertMultiway(kernel);
  const { dims } = kernel;
  const [out, channels = 1, ...rest] = dims as [number, ...number[]];
  const [rankOut, rankIn] = ranks;
  const { iterations = 10 } = options;
  const space = kernel.data.length / (out * channels);
  // A core slice cannot have more directions than the other axes offer.
  assertRank(rankOut, Math.min(out, rankIn * space), 'ranks[0]');
  assertRank(rankIn, Math.min(channels, rankOut * space), 'ranks[1]');
  const shape = [out, channels, space];
  const whole = { data: kernel.data, dims: shape };

  let inputs = svd(unfold(whole, 1), { rank: rankIn }).u;
  let outputs = svd(alongInputs(whole, inputs), { rank: rankOut }).u;
  for (let i = 0; i < iterations; i++) {
    inputs = svd(alongOutputs(whole, outputs), { rank: rankIn }).u;
    outputs = svd(alongInputs(whole, inputs), { rank: rankOut }).u;
  }
  const core = matmul(outputs, alongInputs(whole, inputs), { transposeA: true }).data;
  // The factors are orthonormal: what the core has not kept is the error.
  const total = normOf(kernel.data);
  const kept = total === 0 ? 0 : normOf(core) / total;
  return {
    outputs,
    inputs,
    core: { data: core, dims: [rankOut, rankIn, ...rest] },
    error: total === 0 ? 0 : Math.sqrt(Math.max(0, 1 - kept * kept)),
  };
}

/** The kernel with its input axis projected, unfolded along the outputs: out × (rᵢ · space). */
function alongInputs(kernel: Multiway, inputs: DenseMatrix): DenseMatrix {
  const [out, , space] = kernel.dims as [number, number, number];
  const projected = matmul(inputs, unfold(kernel, 1), { transposeA: true });
  const dims = [out, inputs.cols, space];
  return unfold({ data: fold(projected, dims, 1), dims }, 0);
}

/** The kernel with its output axis projected, unfolded along the inputs: in × (rₒ · space). */
function alongOutputs(kernel: Multiway, outputs: DenseMatrix): DenseMatrix {
  const [, channels, space] = kernel.dims as [number, number, number];
  const projected = matmul(outputs, unfold(kernel, 0), { transposeA: true });
  return unfold({ data: projected.data, dims: [outputs.cols, channels, space] }, 1);
}
