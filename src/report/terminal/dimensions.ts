import type { DimensionReport } from '../../inspect/report.js';
import { plural, printable } from '../format.js';
import { groupTable } from './groups.js';
import { type TextOptions, wrap } from './text.js';

const MOST_REASONS = 8;

/** The dimensions that can be made smaller, and why the others stay. */
export function dimensionsText({ groups, refused, blocks }: DimensionReport, options: TextOptions): string {
  const { colours, width } = options;
  const line = (text: string) => wrap(printable(text), Math.min(width, 100));
  const reasons = new Map<string, { count: number; example: string }>();
  for (const { reason, constant, axis } of refused) {
    const known = reasons.get(reason);
    if (known) known.count++;
    else reasons.set(reason, { count: 1, example: `${constant}[${axis}]` });
  }
  const most = [...reasons].sort((a, b) => b[1].count - a[1].count);
  return [
    groups.length > 0 ? groupTable(groups, options) : 'No dimension can be made smaller.',
    most.length > 0 &&
      [
        colours.dim('Stay as they are:'),
        ...most
          .slice(0, MOST_REASONS)
          .map(([reason, { count, example }]) =>
            line(`${count === 1 ? `1 axis (${example})` : `${count} axes (${example}, …)`}: ${reason}`),
          ),
        ...(most.length > MOST_REASONS ? [`and ${plural(most.length - MOST_REASONS, 'other reason')}`] : []),
      ].join('\n'),
    blocks.length > 0 &&
      line(
        `${plural(blocks.length, 'residual block')} can be left out: ${blocks.slice(0, 12).join(', ')}${blocks.length > 12 ? ', …' : ''}`,
      ),
  ]
    .filter(Boolean)
    .join('\n\n');
}
