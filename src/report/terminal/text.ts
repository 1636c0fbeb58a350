import Table from 'cli-table3';
import type pc from 'picocolors';
import { shorten } from '../format.js';

/** The colours of a stream: real ones, or functions that leave text as it is. */
export type Colours = ReturnType<typeof pc.createColors>;

export interface TextOptions {
  /** Characters in a line. */
  width: number;
  colours: Colours;
}

export interface TextColumn {
  heading: string;
  number?: boolean;
  /** Its plain text is cut in the middle where the line is too short; names can be cut, numbers cannot. */
  shrinks?: boolean;
  /** Its text is a sentence: broken into lines where the line is too short. */
  wraps?: boolean;
  /** Left out where the line is too short; the highest first. */
  optional?: number;
}

const GAP = 2;
/** Names are cut down to this, and further only where no column is left to leave out. */
const READABLE_NAME = 24;
const SHORTEST_NAME = 12;

/** Columns without lines between them, fitted to the width: names are cut, sentences broken, then optional columns left out. */
export function textTable(
  columns: readonly TextColumn[],
  rows: readonly (readonly string[])[],
  { width, colours }: TextOptions,
): string {
  const kept = new Set(columns.keys());
  const natural = columns.map((column, c) =>
    Math.max(column.heading.length, ...rows.map(row => visibleLength(row[c] ?? ''))),
  );
  const narrows = (c: number): boolean => Boolean(columns[c]!.shrinks || columns[c]!.wraps);
  const needed = (): number =>
    [...kept].reduce(
      (sum, c) => sum + GAP + (narrows(c) ? Math.min(natural[c]!, READABLE_NAME) : natural[c]!),
      0,
    );
  const optional = [...kept]
    .filter(c => columns[c]!.optional !== undefined)
    .sort((a, b) => columns[b]!.optional! - columns[a]!.optional!);
  for (const c of optional) if (needed() > width) kept.delete(c);
  const shown = [...kept].sort((a, b) => a - b);
  const widths = new Map(shown.map(c => [c, natural[c]!]));
  let excess = shown.reduce((sum, c) => sum + GAP + widths.get(c)!, 0) - width;
  for (const c of shown) {
    if (excess <= 0 || !narrows(c)) continue;
    const cut = Math.min(excess, Math.max(0, widths.get(c)! - SHORTEST_NAME));
    widths.set(c, widths.get(c)! - cut);
    excess -= cut;
  }
  const table = new Table({
    head: shown.map(c => colours.dim(columns[c]!.heading)),
    colAligns: shown.map(c => (columns[c]!.number ? 'right' : 'left')),
    colWidths: shown.map(c => widths.get(c)! + GAP),
    style: { 'padding-left': 0, 'padding-right': GAP, head: [], border: [], compact: true },
    chars: Object.fromEntries(BORDERS.map(name => [name, ''])),
  });
  for (const row of rows) {
    const fit = (c: number): string => {
      const text = row[c] ?? '';
      if (columns[c]!.wraps) return wrap(text, widths.get(c)!);
      return columns[c]!.shrinks ? shorten(text, widths.get(c)!) : text;
    };
    table.push(shown.map(fit));
  }
  return table
    .toString()
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n');
}

const BORDERS = (
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right ' +
  'right-mid middle'
).split(' ');

/** Length without the colour codes. */
export const visibleLength = (text: string): number => text.replace(/\x1b\[[\d;]*m/g, '').length;

/** `name   text`, the names in one column. */
export function textPairs(
  entries: readonly (readonly [name: string, text: string])[],
  colours: Colours,
): string {
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.map(([name, text]) => `${colours.dim(name.padEnd(width))}  ${text}`).join('\n');
}

/** Breaks a sentence into lines of at most `width` characters. */
export function wrap(text: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}
