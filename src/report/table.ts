import { html, type Markup, type Piece } from './markup.js';

export interface Column<Row> {
  heading: string;
  cell: (row: Row) => Piece;
  /** What the column is sorted by; a number aligns it to the right. Without it the column is not sortable. */
  key?: (row: Row) => number | string;
  /** Right-aligned, for a column of numbers that is not sortable. */
  number?: boolean;
  /** The column that names the row. */
  head?: boolean;
  /** Keep its cells on one line. */
  fixed?: boolean;
}

/** A table in a box of its own, which scrolls where the screen is narrow; `wide` takes the whole column. */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  caption?: string,
  wide = false,
): Markup {
  const numeric = columns.map(
    c => c.number || (rows[0] !== undefined && typeof c.key?.(rows[0]) === 'number'),
  );
  const classes = columns.map((c, i) => (numeric[i] ? 'number' : c.fixed ? 'fixed' : ''));
  return html`${caption !== undefined && html`<p class="caption">${caption}</p>`}<div class="scroll" tabindex="0" role="group" aria-label="${caption ?? 'table'}"><table${wide && html` class="wide"`}><thead><tr>${columns.map(
    (c, i) =>
      html`<th scope="col" class="${classes[i]}">${c.key ? html`<button type="button">${c.heading}</button>` : c.heading}</th>`,
  )}</tr></thead><tbody>${rows.map(
    row =>
      html`<tr>${columns.map((c, i) => {
        const key = c.key && html` data-key="${c.key(row)}"`;
        return c.head
          ? html`<th scope="row" class="${classes[i]}"${key}>${c.cell(row)}</th>`
          : html`<td class="${classes[i]}"${key}>${c.cell(row)}</td>`;
      })}</tr>`,
  )}</tbody></table></div>`;
}

/** Names and values, one a line. */
export const pairs = (entries: readonly (readonly [name: string, value: Piece])[]): Markup =>
  html`<dl class="pairs">${entries.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;

/** A name from a model file, set as code. */
export const nameOf = (name: string): Markup => html`<span class="name">${name}</span>`;
