import type { GroupReport } from '../../prune/report.js';
import { printable } from '../format.js';
import { type TextOptions, textTable } from './text.js';

/** Groups of channels, one a line. */
export function groupTable(groups: readonly GroupReport[], options: TextOptions): string {
  const pruned = groups.some(({ channels, left }) => left < channels);
  return textTable(
    [
      { heading: 'Group' },
      { heading: 'Channels', number: true },
      ...(pruned ? [{ heading: 'Left', number: true }] : []),
      { heading: 'Constants', number: true, optional: 1 },
      { heading: 'Cuts', shrinks: true, optional: 3 },
      { heading: 'Masking is', optional: 2 },
    ],
    groups.map(({ name, channels, left, constants, approximate }) => [
      printable(name),
      String(channels),
      ...(pruned ? [String(left)] : []),
      String(new Set(constants.map(constant => constant.name)).size),
      constants
        .slice(0, 4)
        .map(({ name, axis, indices }) => `${printable(name)}[${axis}]${indices > 1 ? ` × ${indices}` : ''}`)
        .join(', ') + (constants.length > 4 ? ', …' : ''),
      approximate === undefined ? 'the same' : `not the same: ${approximate}`,
    ]),
    options,
  );
}
