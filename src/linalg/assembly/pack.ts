/**
 * Packing for the matrix product (Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008):
 * a block becomes panels of four rows, stored column after column, so that the micro-kernel reads straight on.
 */
import { at } from './elements';

export const PANEL: i32 = 4;

/** Packs rows × depth elements, element (i, p) at `from + i · rowStep + p · colStep`; missing rows become zeros. */
export function packPanels(rows: i32, depth: i32, from: usize, rowStep: i32, colStep: i32, to: usize): void {
  const rowBytes = <usize>rowStep << 3;
  for (let i = 0; i < rows; i += PANEL) {
    const source = from + <usize>i * rowBytes;
    const panel = at(to, i * depth);
    if (i + PANEL > rows) packPart(rows - i, depth, source, rowBytes, <usize>colStep << 3, panel);
    else if (rowStep == 1) packAdjacentRows(depth, source, <usize>colStep << 3, panel);
    else if (colStep == 1) packTransposing(depth, source, rowBytes, panel);
    else packPart(PANEL, depth, source, rowBytes, <usize>colStep << 3, panel);
  }
}

/** The four rows of a panel lie next to each other in every column. */
function packAdjacentRows(depth: i32, from: usize, colBytes: usize, to: usize): void {
  for (let p = 0; p < depth; p++) {
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
    from += colBytes;
    to += 32;
  }
}

/** The columns of a panel lie next to each other in every row: 2×2 transpositions in registers. */
function packTransposing(depth: i32, from: usize, rowBytes: usize, to: usize): void {
  let row0 = from;
  let row1 = row0 + rowBytes;
  let row2 = row1 + rowBytes;
  let row3 = row2 + rowBytes;
  let p = 0;
  for (; p + 2 <= depth; p += 2) {
    const a = v128.load(row0);
    const b = v128.load(row1);
    const c = v128.load(row2);
    const d = v128.load(row3);
    v128.store(to, v128.shuffle<f64>(a, b, 0, 2));
    v128.store(to, v128.shuffle<f64>(c, d, 0, 2), 16);
    v128.store(to, v128.shuffle<f64>(a, b, 1, 3), 32);
    v128.store(to, v128.shuffle<f64>(c, d, 1, 3), 48);
    row0 += 16;
    row1 += 16;
    row2 += 16;
    row3 += 16;
    to += 64;
  }
  if (p < depth) {
    store<f64>(to, load<f64>(row0));
    store<f64>(to, load<f64>(row1), 8);
    store<f64>(to, load<f64>(row2), 16);
    store<f64>(to, load<f64>(row3), 24);
  }
}

/** Any strides, one to four rows. */
function packPart(rows: i32, depth: i32, from: usize, rowBytes: usize, colBytes: usize, to: usize): void {
  for (let p = 0; p < depth; p++) {
    for (let r = 0; r < PANEL; r++) {
      const value = r < rows ? load<f64>(from + <usize>r * rowBytes) : 0;
      store<f64>(to + (<usize>r << 3), value);
    }
    from += colBytes;
    to += 32;
  }
}
