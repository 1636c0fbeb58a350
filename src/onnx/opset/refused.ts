import type { Change } from './change.js';

/** Changes that nobody needed yet, or that have no equal. */
export const refused: Change[] = [
  {
    op: 'Scan',
    version: 9,
    refuse: () => 'it loops over a batch, which was dropped',
    apply: () => {},
  },
  {
    op: 'AveragePool',
    version: 19,
    reads: ['ceil_mode', 'count_include_pad'],
    refuse: node =>
      node.int('ceil_mode', 0) === 1 && node.int('count_include_pad', 0) === 1
        ? 'windows over the edge are averaged otherwise since (ceil_mode with count_include_pad)'
        : undefined,
    apply: () => {},
  },
];
