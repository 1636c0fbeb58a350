/**
 * Rounding with error feedback (GPTQ, https://arxiv.org/abs/2210.17323): column by column, what rounding did to a column
 * is made good by those after it. Within a block of columns at once, in the columns after the block by one product.
 *
 * Weights are columns side by side, (columns × rows), `rows` even: two rows are the two lanes of a vector.
 */
import { axpy } from './blas1';
import { at, get, set } from './elements';
import { gemm } from './gemm';
import { multiplyAdd } from './simd';

/** Columns that are finished before the rest hears of it; a scale needs its whole block to be up to date. */
const COLUMNS: i32 = 32;

/** Scales that are tried, as a share of the one that just reaches the largest weight: SHRINK of quantizer.ts. */
const SHRINK: i32 = 5;
const STEP: f64 = 0.07;

/**
 * @param block columns that share a scale
 * @param half whether scales are rounded to float16 (else to float32)
 * @param squares whether scales are ± the square of an integer up to 127 instead
 * @param W rows · cols weights; destroyed
 * @param U upper triangular, cols × cols, (S + damping)⁻¹ = Uᵀ U; null for rounding to nearest, without feedback
 * @param E scratch, rows · max(32, block) for block < cols, else rows · 32
 * @param importance scratch, cols
 * @param Q becomes the integers, one byte each, laid out as W
 * @param scales become the scales, (⌈cols / block⌉ × rows)
 * @param losses become d (S + damping) dᵀ of each row's error d; d dᵀ without feedback
 */
export function gptq(
  rows: i32, cols: i32, bits: i32, block: i32, half: bool, squares: bool,
  W: usize, U: usize, E: usize, importance: usize, Q: usize, scales: usize, losses: usize,
): void {
  for (let r = 0; r < rows; r++) set(losses, r, 0);
  // An error in column c costs its square over u², so that is its weight when a scale is chosen.
  for (let c = 0; c < cols; c++) {
    const u = U == 0 ? 1 : get(U, c * cols + c);
    set(importance, c, 1 / (u * u));
  }
  let step = COLUMNS;
  if (block < cols) step = max(block, COLUMNS / block * block);
  for (let first = 0; first < cols; first += step) {
    const end = min(first + step, cols);
    for (let c = first; c < end; c++) {
      const s = at(scales, (c / block) * rows);
      if (c % block == 0) chooseScales(rows, c, min(c + block, cols), bits, half, squares, W, importance, s);
      const errors = at(E, (c - first) * rows);
      const weight = U == 0 ? 1 : 1 / get(U, c * cols + c);
      roundColumn(rows, bits, at(W, c * rows), weight, s, Q + c * rows, errors, losses);
      if (U == 0) continue;
      for (let j = c + 1; j < end; j++) axpy(rows, -get(U, c * cols + j), errors, at(W, j * rows));
    }
    if (U == 0) continue;
    const rest = cols - end;
    const right = at(U, first * cols + end);
    gemm(rest, rows, end - first, -1, right, 1, cols, E, rows, 1, true, at(W, end * rows), rows);
  }
}

function roundColumn(
  rows: i32, bits: i32, w: usize, weight: f64, scales: usize, q: usize, errors: usize, losses: usize,
): void {
  const low = f64x2.splat(-<f64>(1 << (bits - 1)));
  const high = f64x2.splat(<f64>((1 << (bits - 1)) - 1));
  for (let r = 0; r < rows; r += 2) {
    const scale = v128.load(at(scales, r));
    const value = v128.load(at(w, r));
    const rounded = nearest(value, inverse(scale), low, high);
    store<i8>(q + r, <i8>f64x2.extract_lane(rounded, 0));
    store<i8>(q + r + 1, <i8>f64x2.extract_lane(rounded, 1));
    const error = f64x2.mul(f64x2.sub(value, f64x2.mul(rounded, scale)), f64x2.splat(weight));
    v128.store(at(errors, r), error);
    const loss = at(losses, r);
    v128.store(loss, multiplyAdd(error, error, v128.load(loss)));
  }
}

/** Integers nearest to value / scale, halves upwards. */
function nearest(value: v128, perScale: v128, low: v128, high: v128): v128 {
  const rounded = f64x2.floor(multiplyAdd(value, perScale, f64x2.splat(0.5)));
  return f64x2.max(low, f64x2.min(high, rounded));
}

/** 1 / scale; 0 for a scale of 0, with which all rounds to 0. */
function inverse(scale: v128): v128 {
  const zero = f64x2.splat(0);
  return v128.andnot(f64x2.div(f64x2.splat(1), scale), f64x2.eq(scale, zero));
}

/** For each row the scale of least weighted squared error in columns [first, end). */
function chooseScales(
  rows: i32, first: i32, end: i32, bits: i32, half: bool, squares: bool,
  W: usize, importance: usize, scales: usize,
): void {
  const limit = <f64>(1 << (bits - 1));
  for (let r = 0; r < rows; r += 2) {
    let least = f64x2.splat(0);
    let most = f64x2.splat(0);
    for (let c = first; c < end; c++) {
      const value = v128.load(at(W, c * rows + r));
      least = f64x2.min(least, value);
      most = f64x2.max(most, value);
    }
    const down = f64x2.neg(least);
    if (bits == 8 && !squares) {
      const full = f64x2.div(f64x2.max(down, most), f64x2.splat(limit - 1));
      v128.store(at(scales, r), stored(full, half));
      continue;
    }
    // The extreme maps to −limit: negative scales where the extreme is positive.
    const extreme = v128.bitselect(least, most, f64x2.gt(down, most));
    const full = f64x2.div(extreme, f64x2.splat(-limit));
    let best = f64x2.splat(0);
    let bestError = f64x2.splat(Infinity);
    for (let sign: f64 = 1; sign >= -1; sign -= 2) {
      for (let i = 0; i < SHRINK; i++) {
        const wanted = f64x2.mul(full, f64x2.splat(sign * (1 - STEP * <f64>i)));
        const scale = squares ? square(wanted) : stored(wanted, half);
        const error = weightedError(rows, first, end, limit, W, r, importance, scale);
        const better = f64x2.lt(error, bestError);
        best = v128.bitselect(scale, best, better);
        bestError = v128.bitselect(error, bestError, better);
      }
    }
    v128.store(at(scales, r), best);
  }
}

function weightedError(
  rows: i32, first: i32, end: i32, limit: f64, W: usize, r: i32, importance: usize, scale: v128,
): v128 {
  const low = f64x2.splat(-limit);
  const high = f64x2.splat(limit - 1);
  const perScale = inverse(scale);
  let sum = f64x2.splat(0);
  for (let c = first; c < end; c++) {
    const value = v128.load(at(W, c * rows + r));
    const error = f64x2.sub(value, f64x2.mul(nearest(value, perScale, low, high), scale));
    sum = multiplyAdd(f64x2.mul(error, error), v128.load64_splat(at(importance, c)), sum);
  }
  return sum;
}

/** A scale as it will be stored: with 11 significant bits for float16 (its range is the caller's affair), else 24. */
function stored(scale: v128, half: bool): v128 {
  if (!half) return f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(scale));
  // Veltkamp's splitting: what is added and taken away pushes the lower 42 bits out.
  const pushed = f64x2.mul(scale, f64x2.splat(4398046511105));
  return f64x2.sub(pushed, f64x2.sub(pushed, scale));
}

/** The nearest of ±1, ±4, ±9, … ±127². */
function square(scale: v128): v128 {
  const sign = f64x2.splat(-0.0);
  const root = f64x2.nearest(f64x2.sqrt(f64x2.abs(scale)));
  const bounded = f64x2.max(f64x2.splat(1), f64x2.min(f64x2.splat(127), root));
  return v128.or(f64x2.mul(bounded, bounded), v128.and(scale, sign));
}
