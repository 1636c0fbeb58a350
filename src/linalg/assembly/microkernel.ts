/**
 * The innermost loop of the matrix product: a 4×4 tile of C in eight registers of two float64 lanes. Unrolling the
 * loop by hand makes V8 spill registers and halves the speed, so it is left as it is.
 */
import { multiplyAdd, zeros } from './simd';

function writeRow(c: usize, left: v128, right: v128, alpha: v128, accumulate: bool): void {
  if (accumulate) {
    v128.store(c, multiplyAdd(alpha, left, v128.load(c)));
    v128.store(c, multiplyAdd(alpha, right, v128.load(c, 16)), 16);
  } else {
    v128.store(c, f64x2.mul(alpha, left));
    v128.store(c, f64x2.mul(alpha, right), 16);
  }
}

/** C = α A B (or C += …) of packed panels A (depth × 4) and B (depth × 4); rows of C are `rowBytes` apart. */
export function tile4x4(
  depth: i32,
  a: usize,
  b: usize,
  alpha: f64,
  accumulate: bool,
  c: usize,
  rowBytes: usize,
): void {
  let c00 = zeros();
  let c01 = zeros();
  let c10 = zeros();
  let c11 = zeros();
  let c20 = zeros();
  let c21 = zeros();
  let c30 = zeros();
  let c31 = zeros();
  const end = a + (<usize>depth << 5);
  while (a < end) {
    const left = v128.load(b);
    const right = v128.load(b, 16);
    const a0 = v128.load_splat<f64>(a);
    c00 = multiplyAdd(a0, left, c00);
    c01 = multiplyAdd(a0, right, c01);
    const a1 = v128.load_splat<f64>(a, 8);
    c10 = multiplyAdd(a1, left, c10);
    c11 = multiplyAdd(a1, right, c11);
    const a2 = v128.load_splat<f64>(a, 16);
    c20 = multiplyAdd(a2, left, c20);
    c21 = multiplyAdd(a2, right, c21);
    const a3 = v128.load_splat<f64>(a, 24);
    c30 = multiplyAdd(a3, left, c30);
    c31 = multiplyAdd(a3, right, c31);
    a += 32;
    b += 32;
  }
  const factor = f64x2.splat(alpha);
  writeRow(c, c00, c01, factor, accumulate);
  writeRow(c + rowBytes, c10, c11, factor, accumulate);
  writeRow(c + 2 * rowBytes, c20, c21, factor, accumulate);
  writeRow(c + 3 * rowBytes, c30, c31, factor, accumulate);
}
