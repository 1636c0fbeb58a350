/**
 * Elements in linear memory. A vector or matrix is a byte address; indices count elements of eight bytes
 * (float64) or four (int32). Matrices are row-major, and `ld` is the distance between rows in elements.
 */

/** Address of float64 element i. */
export function at(p: usize, i: i32): usize {
  return p + (<usize>i << 3);
}

export function get(p: usize, i: i32): f64 {
  return load<f64>(p + (<usize>i << 3));
}

export function set(p: usize, i: i32, value: f64): void {
  store<f64>(p + (<usize>i << 3), value);
}

export function add(p: usize, i: i32, value: f64): void {
  set(p, i, get(p, i) + value);
}

/** Address of int32 element i. */
export function atInt(p: usize, i: i32): usize {
  return p + (<usize>i << 2);
}

export function getInt(p: usize, i: i32): i32 {
  return load<i32>(p + (<usize>i << 2));
}

export function setInt(p: usize, i: i32, value: i32): void {
  store<i32>(p + (<usize>i << 2), value);
}

export function copy(count: i32, from: usize, to: usize): void {
  memory.copy(to, from, <usize>count << 3);
}

export function clear(count: i32, p: usize): void {
  memory.fill(p, 0, <usize>count << 3);
}

/** Matrices are scaled to elements near 1: what is smaller than this counts as zero, its square would underflow. */
export const NOTHING: f64 = 1e-140;

/** Half of the distance from 1 to the next float64: LAPACK's `dlamch('E')`. */
export const EPSILON: f64 = 1.1102230246251565e-16;
