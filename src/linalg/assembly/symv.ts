/** dsymv: y += A x for a symmetric matrix of which the lower triangle is stored. */
import { add, at, get } from './elements';
import { laneSum, multiplyAdd, zeros } from './simd';

/** Four rows at a time, so that x and y are read a quarter as often. */
export function symvLower(n: i32, A: usize, lda: i32, x: usize, y: usize): void {
  let row = 0;
  for (; row + 4 <= n; row += 4) {
    leftOfDiagonal(row, A, lda, x, y);
    for (let i = row; i < row + 4; i++) addRow(i, row, A, lda, x, y);
  }
  for (; row < n; row++) addRow(row, 0, A, lda, x, y);
}

/** Columns [0, row) of the rows row … row + 3, each element used twice. `row` is a multiple of four. */
function leftOfDiagonal(row: i32, A: usize, lda: i32, x: usize, y: usize): void {
  let a0 = at(A, row * lda);
  let a1 = at(a0, lda);
  let a2 = at(a1, lda);
  let a3 = at(a2, lda);
  const x0 = v128.load_splat<f64>(at(x, row));
  const x1 = v128.load_splat<f64>(at(x, row), 8);
  const x2 = v128.load_splat<f64>(at(x, row), 16);
  const x3 = v128.load_splat<f64>(at(x, row), 24);
  let sum0 = zeros();
  let sum1 = zeros();
  let sum2 = zeros();
  let sum3 = zeros();
  const end = <usize>row << 3;
  for (let o: usize = 0; o < end; o += 16) {
    const m0 = v128.load(a0 + o);
    const m1 = v128.load(a1 + o);
    const m2 = v128.load(a2 + o);
    const m3 = v128.load(a3 + o);
    const xs = v128.load(x + o);
    const upper = multiplyAdd(m0, x0, multiplyAdd(m1, x1, v128.load(y + o)));
    const lower = multiplyAdd(m2, x2, f64x2.mul(m3, x3));
    v128.store(y + o, f64x2.add(upper, lower));
    sum0 = multiplyAdd(m0, xs, sum0);
    sum1 = multiplyAdd(m1, xs, sum1);
    sum2 = multiplyAdd(m2, xs, sum2);
    sum3 = multiplyAdd(m3, xs, sum3);
  }
  add(y, row, laneSum(sum0));
  add(y, row + 1, laneSum(sum1));
  add(y, row + 2, laneSum(sum2));
  add(y, row + 3, laneSum(sum3));
}

/** Columns [from, row] of one row. */
function addRow(row: i32, from: i32, A: usize, lda: i32, x: usize, y: usize): void {
  const a = at(A, row * lda);
  for (let j = from; j < row; j++) {
    const value = get(a, j);
    add(y, row, value * get(x, j));
    add(y, j, value * get(x, row));
  }
  add(y, row, get(a, row) * get(x, row));
}
