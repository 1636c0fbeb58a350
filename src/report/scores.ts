import type { ScoreRow } from '../compress/report.js';
import { formatDifference, formatPair } from './format.js';

export interface ScoreText {
  before: string;
  after: string;
  /** With its sign; differences of percentages are points. */
  difference: string;
  change: 'better' | 'worse' | 'same';
}

/** A score before and after as page and terminal show it. */
export function scoreText(row: ScoreRow): ScoreText {
  const { unit = '', betterIs } = row;
  // Hundredths of a point are finer than any test set tells apart.
  const shown = (value: number) => (unit === '%' ? Math.round(value * 100) / 100 : value);
  const [before, after] = formatPair(shown(row.before), shown(row.after));
  const difference = row.after - row.before;
  const gain = betterIs === 'higher' ? difference : -difference;
  return {
    before: before + unit,
    after: after + unit,
    difference: `${formatDifference(shown(difference))}${unit === '%' ? ' points' : unit}`,
    change: Math.abs(gain) < 1e-12 ? 'same' : gain > 0 ? 'better' : 'worse',
  };
}
