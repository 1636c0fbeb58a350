import type { GroupImportance, GroupReport } from '../../prune/report.js';
import { plural, shorten } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { removalPlot } from '../plot/removal.js';
import { type Column, nameOf, table } from '../table.js';

const SHOWN_PLOTS = 12;
const SHOWN_CONSTANTS = 4;

/** The groups of dimensions that go together, and how many channels of each went. */
export function groupsTable(groups: readonly GroupReport[]): Markup {
  const pruned = groups.some(({ channels, left }) => left < channels);
  const columns: Column<GroupReport>[] = [
    { heading: 'Group', head: true, key: g => g.name, cell: g => nameOf(shorten(g.name, 60)) },
    { heading: 'Channels', key: g => g.channels, cell: g => g.channels },
    ...(pruned
      ? [
          { heading: 'Left', key: (g: GroupReport) => g.left, cell: (g: GroupReport) => g.left },
          { heading: '', cell: leftBar },
        ]
      : []),
    { heading: 'Cuts', cell: cuts },
    ...(groups.some(({ approximate }) => approximate !== undefined)
      ? [
          {
            heading: 'Masking is',
            cell: ({ approximate }: GroupReport) =>
              approximate === undefined
                ? 'the same'
                : html`not the same<span class="quiet">${shorten(approximate, 160)}</span>`,
          },
        ]
      : []),
  ];
  return table(groups, columns, undefined, true);
}

const leftBar = ({ channels, left }: GroupReport): Markup =>
  html`<span class="shrink"><span style="width:${((100 * left) / channels).toFixed(1)}%;background:var(--quantize-2)"></span></span>`;

/** The constants that lose a channel together, each with its axis. */
function cuts({ constants }: GroupReport): Piece {
  const item = ({ name, axis, indices }: GroupReport['constants'][number]) =>
    html`<li>${nameOf(shorten(name, 48))}, axis ${axis}${indices > 1 && `, ${indices} at a time`}</li>`;
  const rest = constants.slice(SHOWN_CONSTANTS);
  return [
    html`<ul class="plain">${constants.slice(0, SHOWN_CONSTANTS).map(item)}</ul>`,
    rest.length > 0 &&
      html`<details><summary>${plural(rest.length, 'further constant')}</summary><ul>${rest.map(item)}</ul></details>`,
  ];
}

const LOST: Readonly<Record<GroupImportance['of'], string>> = {
  outputs:
    'the distortion of the model’s outputs that is predicted for it (squared error over their variance)',
  layers: 'the error of the layers that read the channels (squared, over their variance)',
  weights: 'the share of the weights’ energy Σw² that goes with them',
};

/** What the channels of each group are worth, largest groups first, the rest folded away. Nothing where it is not known. */
export function importances(groups: readonly GroupReport[]): Piece {
  const known = groups.filter(({ importance }) => importance).sort((a, b) => b.channels - a.channels);
  if (known.length === 0) return null;
  const grid = (some: readonly GroupReport[]) =>
    html`<ul class="spectra">${some.map(
      group =>
        html`<li><span class="name" title="${shorten(group.name, 200)}">${shorten(group.name, 26)}</span><span class="quiet">${plural(group.channels, 'channel')}</span>${removalPlot(group)}<span class="quiet">${group.left < group.channels && `${group.channels - group.left} went`}</span></li>`,
    )}</ul>`;
  const rest = known.slice(SHOWN_PLOTS);
  return [
    html`<p>To the right: channels gone, least important first. Upwards: ${LOST[known[0]!.importance!.of]}. A curve that stays low for long is a group with channels to spare.${known.some(({ left, channels }) => left < channels) && html` <span class="quiet">Shaded: those that went.</span>`}</p>`,
    grid(known.slice(0, SHOWN_PLOTS)),
    rest.length > 0 &&
      html`<details><summary>${plural(rest.length, 'smaller group')}</summary>${grid(rest)}</details>`,
  ];
}
