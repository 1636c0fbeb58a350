/** Out-of-place transposition in small square blocks, so that neither side walks through memory element by element. */
import { at, get, set } from './elements';

const BLOCK: i32 = 16;

/** to (cols × rows, leading dimension ldt) = from (rows × cols, leading dimension ldf) transposed. */
export function transpose(rows: i32, cols: i32, from: usize, ldf: i32, to: usize, ldt: i32): void {
  for (let i = 0; i < rows; i += BLOCK) {
    const iEnd = min(i + BLOCK, rows);
    for (let j = 0; j < cols; j += BLOCK) {
      const jEnd = min(j + BLOCK, cols);
      for (let r = i; r < iEnd; r++) {
        const row = at(from, r * ldf);
        for (let c = j; c < jEnd; c++) set(to, c * ldt + r, get(row, c));
      }
    }
  }
}
