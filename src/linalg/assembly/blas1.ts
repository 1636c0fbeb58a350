/** Vector operations: the level 1 BLAS (Lawson, Hanson, Kincaid & Krogh 1979) and a few fused pairs. */
import { add, at, get, set } from './elements';
import { laneSum, multiplyAdd, zeros } from './simd';

/** ddot: xᵀ y. */
export function dot(n: i32, x: usize, y: usize): f64 {
  let even = zeros();
  let odd = zeros();
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    even = multiplyAdd(v128.load(at(x, i)), v128.load(at(y, i)), even);
    odd = multiplyAdd(v128.load(at(x, i), 16), v128.load(at(y, i), 16), odd);
  }
  let sum = laneSum(f64x2.add(even, odd));
  for (; i < n; i++) sum += get(x, i) * get(y, i);
  return sum;
}

/** Euclidean length; the caller keeps the elements away from overflow by scaling its matrix. */
export function norm(n: i32, x: usize): f64 {
  return Math.sqrt(dot(n, x, x));
}

/** daxpy: y += a x. */
export function axpy(n: i32, a: f64, x: usize, y: usize): void {
  const factor = f64x2.splat(a);
  let i = 0;
  for (; i + 2 <= n; i += 2) {
    v128.store(at(y, i), multiplyAdd(factor, v128.load(at(x, i)), v128.load(at(y, i))));
  }
  for (; i < n; i++) add(y, i, a * get(x, i));
}

/** Two daxpys in one pass: out += a x + b y. */
export function axpyTwo(n: i32, a: f64, x: usize, b: f64, y: usize, out: usize): void {
  const va = f64x2.splat(a);
  const vb = f64x2.splat(b);
  let i = 0;
  for (; i + 2 <= n; i += 2) {
    const sum = multiplyAdd(vb, v128.load(at(y, i)), v128.load(at(out, i)));
    v128.store(at(out, i), multiplyAdd(va, v128.load(at(x, i)), sum));
  }
  for (; i < n; i++) add(out, i, a * get(x, i) + b * get(y, i));
}

/** dscal: x *= a. */
export function scale(n: i32, a: f64, x: usize): void {
  const factor = f64x2.splat(a);
  let i = 0;
  for (; i + 2 <= n; i += 2) v128.store(at(x, i), f64x2.mul(factor, v128.load(at(x, i))));
  for (; i < n; i++) set(x, i, a * get(x, i));
}

/** drot: (x, y) ← (c x + s y, c y − s x). */
export function rotate(n: i32, x: usize, y: usize, c: f64, s: f64): void {
  const vc = f64x2.splat(c);
  const vs = f64x2.splat(s);
  let i = 0;
  for (; i + 2 <= n; i += 2) {
    const a = v128.load(at(x, i));
    const b = v128.load(at(y, i));
    v128.store(at(x, i), multiplyAdd(vs, b, f64x2.mul(vc, a)));
    v128.store(at(y, i), f64x2.sub(f64x2.mul(vc, b), f64x2.mul(vs, a)));
  }
  for (; i < n; i++) {
    const a = get(x, i);
    const b = get(y, i);
    set(x, i, c * a + s * b);
    set(y, i, c * b - s * a);
  }
}

/** dswap: exchanges x and y. */
export function swap(n: i32, x: usize, y: usize): void {
  for (let i = 0; i < n; i++) {
    const a = get(x, i);
    set(x, i, get(y, i));
    set(y, i, a);
  }
}

/** Largest magnitude of `count` elements; NaN where one of them is NaN or infinite. */
export function maxAbs(count: i32, p: usize): f64 {
  let largest: f64 = 0;
  for (let i = 0; i < count; i++) {
    const magnitude = Math.abs(get(p, i));
    if (!(magnitude < Infinity)) return NaN;
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}
