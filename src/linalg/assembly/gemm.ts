/**
 * dgemm: the matrix product in three levels of blocks (Goto & van de Geijn, "Anatomy of High-Performance Matrix
 * Multiplication", ACM TOMS 34, 2008). Each element of C is summed in an order that depends on the depth alone, so
 * a part of C has the same bits however the rest is divided.
 */
import { at, clear, get } from './elements';
import { tile4x4 } from './microkernel';
import { PANEL, packPanels } from './pack';

/** Blocks of A (rows × depth) for the second-level cache, of B (depth × columns) for the third. */
const ROWS: i32 = 128;
const DEPTH: i32 = 256;
const COLUMNS: i32 = 512;

const PACKED_A: usize = memory.data(262144, 64);
const PACKED_B: usize = memory.data(1048576, 64);
const TILE: usize = memory.data(128, 64);

/** No restriction on the tiles of C. */
const ALL: i32 = i32.MIN_VALUE;

/**
 * C = α A B, or C += α A B, for A (m × k), B (k × n), C (m × n). A and B are addressed by a row and a column step, so
 * either may be transposed; C is row-major with leading dimension ldc.
 */
export function gemm(
  m: i32, n: i32, k: i32, alpha: f64,
  A: usize, rowStepA: i32, colStepA: i32,
  B: usize, rowStepB: i32, colStepB: i32,
  accumulate: bool, C: usize, ldc: i32,
): void {
  blocked(m, n, k, alpha, A, rowStepA, colStepA, B, rowStepB, colStepB, accumulate, C, ldc, ALL);
}

/** The same where only C(i, j) with j ≤ i + shift is wanted; other elements may or may not be written. */
export function gemmLower(
  m: i32, n: i32, k: i32, alpha: f64,
  A: usize, rowStepA: i32, colStepA: i32,
  B: usize, rowStepB: i32, colStepB: i32,
  accumulate: bool, C: usize, ldc: i32, shift: i32,
): void {
  blocked(m, n, k, alpha, A, rowStepA, colStepA, B, rowStepB, colStepB, accumulate, C, ldc, shift);
}

/** dsyrk: the lower triangle of C = α X Xᵀ, or C += …, for X (n × k) with any steps. */
export function syrk(
  n: i32, k: i32, alpha: f64, X: usize, rowStep: i32, colStep: i32, accumulate: bool, C: usize, ldc: i32,
): void {
  blocked(n, n, k, alpha, X, rowStep, colStep, X, colStep, rowStep, accumulate, C, ldc, 0);
}

function blocked(
  m: i32, n: i32, k: i32, alpha: f64,
  A: usize, rowStepA: i32, colStepA: i32,
  B: usize, rowStepB: i32, colStepB: i32,
  accumulate: bool, C: usize, ldc: i32, shift: i32,
): void {
  if (k == 0 && !accumulate) {
    for (let i = 0; i < m; i++) clear(n, at(C, i * ldc));
  }
  for (let j = 0; j < n; j += COLUMNS) {
    const columns = min(COLUMNS, n - j);
    for (let p = 0; p < k; p += DEPTH) {
      const depth = min(DEPTH, k - p);
      packPanels(columns, depth, at(B, p * rowStepB + j * colStepB), colStepB, rowStepB, PACKED_B);
      for (let i = 0; i < m; i += ROWS) {
        const rows = min(ROWS, m - i);
        if (shift != ALL && j > i + rows - 1 + shift) continue;
        packPanels(rows, depth, at(A, i * rowStepA + p * colStepA), rowStepA, colStepA, PACKED_A);
        const last = shift == ALL ? ALL : i - j + shift;
        macroKernel(rows, columns, depth, alpha, accumulate || p > 0, at(C, i * ldc + j), ldc, last);
      }
    }
  }
}

/** One packed block of A times one of B; `shift` as above, relative to this block. */
function macroKernel(
  rows: i32, columns: i32, depth: i32, alpha: f64, accumulate: bool, C: usize, ldc: i32, shift: i32,
): void {
  const rowBytes = <usize>ldc << 3;
  for (let j = 0; j < columns; j += PANEL) {
    const b = at(PACKED_B, j * depth);
    for (let i = 0; i < rows; i += PANEL) {
      if (shift != ALL && j > i + PANEL - 1 + shift) continue;
      const a = at(PACKED_A, i * depth);
      const c = at(C, i * ldc + j);
      if (i + PANEL <= rows && j + PANEL <= columns) {
        tile4x4(depth, a, b, alpha, accumulate, c, rowBytes);
      } else {
        tile4x4(depth, a, b, alpha, false, TILE, 32);
        addTile(min(PANEL, rows - i), min(PANEL, columns - j), accumulate, c, rowBytes);
      }
    }
  }
}

/** Writes the part of TILE that lies inside C. */
function addTile(rows: i32, columns: i32, accumulate: bool, c: usize, rowBytes: usize): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const to = at(c + <usize>i * rowBytes, j);
      const value = get(TILE, i * PANEL + j);
      store<f64>(to, accumulate ? load<f64>(to) + value : value);
    }
  }
}
