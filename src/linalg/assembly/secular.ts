/**
 * dlaed4: one root of the secular equation f(λ) = 1/ρ + Σ z_i² / (d_i − λ) = 0, found relative to the nearer pole so
 * that no difference d_i − λ cancels (R.-C. Li, "Solving secular equations stably and efficiently", LAPACK Working
 * Note 89, 1993). Every step keeps a bracket: where interpolation leaves it, bisection goes on.
 */
import { dot } from './blas1';
import { at, EPSILON, get, set } from './elements';
import { laneSum, multiplyAdd, zeros } from './simd';

const STEPS: i32 = 100;

/** Σ z_i² / (δ_i − μ) of the latest `poleSums`, and its derivative. */
let sum: f64 = 0;
let slope: f64 = 0;

function poleSums(from: i32, to: i32, delta: usize, z: usize, mu: f64): void {
  const shift = f64x2.splat(mu);
  let sums = zeros();
  let slopes = zeros();
  let i = from;
  for (; i + 2 <= to; i += 2) {
    const weight = v128.load(at(z, i));
    const quotient = f64x2.div(weight, f64x2.sub(v128.load(at(delta, i)), shift));
    sums = multiplyAdd(quotient, weight, sums);
    slopes = multiplyAdd(quotient, quotient, slopes);
  }
  sum = laneSum(sums);
  slope = laneSum(slopes);
  for (; i < to; i++) {
    const quotient = get(z, i) / (get(delta, i) - mu);
    sum += quotient * get(z, i);
    slope += quotient * quotient;
  }
}

/** out_i = d_i − shift */
function subtract(k: i32, d: usize, shift: f64, out: usize): void {
  const s = f64x2.splat(shift);
  let i = 0;
  for (; i + 2 <= k; i += 2) v128.store(at(out, i), f64x2.sub(v128.load(at(d, i)), s));
  for (; i < k; i++) set(out, i, get(d, i) - shift);
}

/** Pole from which the root is measured, first guess of μ = λ − d[origin], and the bracket of μ. */
let origin: i32 = 0;
let mu: f64 = 0;
let low: f64 = 0;
let high: f64 = 0;

/** Root between two poles: the sign of f half-way tells the nearer one. `delta` becomes d − d[origin]. */
function startBetween(j: i32, k: i32, d: usize, z: usize, rho: f64, delta: usize): void {
  const gap = get(d, j + 1) - get(d, j);
  const half = 0.5 * gap;
  const left = get(z, j) * get(z, j);
  const right = get(z, j + 1) * get(z, j + 1);
  subtract(k, d, get(d, j), delta);
  poleSums(0, k, delta, z, half);
  const middle = 1 / rho + sum;
  // f without the two nearest poles, taken as constant: a quadratic equation for the first guess.
  const others = middle + left / half - right / half;
  if (middle >= 0) {
    origin = j;
    low = 0;
    high = half;
    const a = others * gap + left + right;
    const b = left * gap;
    const root = Math.sqrt(Math.abs(a * a - 4 * b * others));
    mu = a > 0 ? (2 * b) / (a + root) : (a - root) / (2 * others);
  } else {
    origin = j + 1;
    low = -half;
    high = 0;
    subtract(k, d, get(d, j + 1), delta);
    const a = others * gap - left - right;
    const b = right * gap;
    const root = Math.sqrt(Math.abs(a * a + 4 * b * others));
    mu = a < 0 ? (2 * b) / (a - root) : -(a + root) / (2 * others);
  }
}

/** Root above the last pole; at most ρ ‖z‖² above it. */
function startAbove(k: i32, d: usize, z: usize, rho: f64, delta: usize): void {
  origin = k - 1;
  low = 0;
  high = rho * dot(k, z, z) * (1 + 8 * EPSILON);
  mu = 0.5 * high;
  subtract(k, d, get(d, k - 1), delta);
}

/**
 * Root number j of k (poles d ascending and distinct, ρ > 0).
 * @param delta scratch, k elements
 * @param differences receives d_i − λ for every i, each to full relative accuracy
 * @returns λ
 */
export function secularRoot(
  j: i32, k: i32, d: usize, z: usize, rho: f64, delta: usize, differences: usize,
): f64 {
  if (k == 1) {
    const step = rho * get(z, 0) * get(z, 0);
    set(differences, 0, -step);
    return get(d, 0) + step;
  }
  const last = j == k - 1;
  if (last) startAbove(k, d, z, rho, delta);
  else startBetween(j, k, d, z, rho, delta);
  if (!(mu > low && mu < high)) mu = 0.5 * (low + high);

  const p = last ? k - 2 : j;
  let middleWay = last;
  let previous: f64 = Infinity;
  for (let step = 0; step < STEPS; step++) {
    poleSums(0, p + 1, delta, z, mu);
    const psi = sum;
    const psiSlope = slope;
    poleSums(p + 1, k, delta, z, mu);
    const phi = sum;
    const phiSlope = slope;
    const f = 1 / rho + psi + phi;
    const fSlope = psiSlope + phiSlope;
    const size = Math.abs(f);
    if (size <= EPSILON * (8 * (Math.abs(psi) + Math.abs(phi)) + 2 / rho + Math.abs(mu) * fSlope)) break;
    if (f < 0) low = mu;
    else high = mu;
    // Slow progress: change between Li's "fixed weight" and "middle way".
    if (!last && size > 0.1 * previous) middleWay = !middleWay;
    previous = size;

    const left = get(delta, p) - mu;
    const right = get(delta, p + 1) - mu;
    let c: f64;
    if (middleWay) {
      c = f - left * psiSlope - right * phiSlope;
    } else if (origin == j) {
      const weight = get(z, p) / left;
      c = f - right * fSlope - (left - right) * weight * weight;
    } else {
      const weight = get(z, p + 1) / right;
      c = f - left * fSlope - (right - left) * weight * weight;
    }
    let change = interpolationStep(last, c, (left + right) * f - left * right * fSlope, left * right * f);
    if (!(f * change < 0)) change = -f / fSlope; // Newton
    let next = mu + change;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (next == mu || next == low || next == high) break;
    mu = next;
  }
  subtract(k, delta, mu, differences);
  return get(d, origin) + mu;
}

/** The root η of c η² − a η + b that stays in the interval, without cancellation. */
function interpolationStep(last: bool, c: f64, a: f64, b: f64): f64 {
  const root = Math.sqrt(Math.abs(a * a - 4 * b * c));
  if (last) {
    const size = Math.abs(c);
    return a >= 0 ? (a + root) / (2 * size) : (2 * b) / (a - root);
  }
  return a <= 0 ? (a - root) / (2 * c) : (2 * b) / (a + root);
}
