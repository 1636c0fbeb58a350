import type { Cost } from './cost.js';
import type { Factorization } from './factorize.js';

/** What `factorize` did, as a table of plain text: one line a layer, and the whole network last. */
export function describeFactorization({ layers, before, after }: Factorization): string {
  const rows = [
    ['layer', 'matrix', 'rank', 'parameters', '', 'FLOPs', ''],
    ...layers.map(({ path, form, rows, cols, rank, ...cost }) => [
      path,
      `${rows} × ${cols}${form === 'linear' ? '' : ` ${form}`}`,
      rank === undefined ? 'dense' : String(rank),
      ...difference(cost.before, cost.after, 'parameters'),
      ...difference(cost.before, cost.after, 'flops'),
    ]),
    ['network', '', '', ...difference(before, after, 'parameters'), ...difference(before, after, 'flops')],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)));
  return rows
    .map(row =>
      row
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function difference(before: Cost, after: Cost, of: keyof Cost): [string, string] {
  const [a, b] = [before[of], after[of]];
  if (a === undefined || b === undefined) return ['–', ''];
  return [`${amount(a)} → ${amount(b)}`, a === 0 ? '' : `${((100 * b) / a).toFixed(1)}%`];
}

const amount = (n: number): string => {
  for (const [size, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (n >= size) return `${(n / size).toPrecision(3)}${unit}`;
  }
  return String(Math.round(n));
};
