import type { PruneReport } from '../../prune/report.js';
import { brief, formatCount, formatPercent, plural, shorten } from '../format.js';
import { html, type Piece } from '../markup.js';
import { page, section } from '../page.js';
import { nameOf, pairs } from '../table.js';
import { changes } from './changes.js';
import { dayOf, phases, repeat } from './compress.js';
import { groupsTable, importances } from './groups.js';
import { inputsUsed, quality } from './quality.js';

/** The HTML report of one pruning, complete in one file. */
export function prunePage(report: PruneReport): string {
  const { model, warnings, groups, blocks } = report;
  const cut = groups.filter(({ channels, left }) => left < channels);
  const whole = groups.filter(({ channels, left }) => left === channels);
  const worth = importances(groups);
  return page({
    title: `${model.name}, pruned`,
    origin: html`<span><b>${shorten(model.name, 80)}</b>, pruned</span><time datetime="${report.date}">${dayOf(report.date)}</time>`,
    headline: report.verdict,
    body: [
      warnings.length > 0 &&
        section('Read this first', html`<ul>${warnings.map(warning => html`<li>${warning}</li>`)}</ul>`),
      section('What was asked for', asked(report)),
      section('Before and after', changes(report)),
      section('Likeness', quality(report)),
      blocks.length > 0 &&
        section(
          'Blocks that went',
          html`<ul>${blocks.map(name => html`<li>${nameOf(shorten(name, 120))}</li>`)}</ul>`,
        ),
      section(
        'What went together',
        cut.length > 0
          ? html`<p>${plural(cut.length, 'group')} of dimensions, ${channelsGone(cut)}. A channel goes with all that belongs to it in every constant of its group.</p>${groupsTable(cut)}`
          : html`<p>No channel went.</p>`,
        whole.length > 0 &&
          html`<details><summary>${plural(whole.length, 'group')} kept whole</summary>${groupsTable(whole)}</details>`,
      ),
      worth !== null && section('What channels are worth', worth),
      section('Inputs', inputsUsed(report)),
      section('How to repeat it', repeat(report)),
      report.phases.length > 0 && section('Time taken', phases(report)),
    ],
    footer: html`Written by Whittle ${report.whittle}. Sizes are those of the files; times and agreement were measured in ONNX Runtime.`,
  });
}

const channelsGone = (groups: PruneReport['groups']): string => {
  const channels = groups.reduce((sum, group) => sum + group.channels, 0);
  const left = groups.reduce((sum, group) => sum + group.left, 0);
  return `${formatCount(channels - left)} of their ${formatCount(channels)} channels`;
};

function asked({ target, met, flops, parameters }: PruneReport): Piece {
  const row = (share: number | undefined, reached: { before: number; after: number } | undefined): Piece =>
    share !== undefined &&
    `${brief(formatPercent(share))} left${reached ? `; ${formatPercent(reached.after / reached.before)} are` : ''}`;
  const rows = [
    ['Operations', row(target.flops, flops)] as const,
    ['Parameters', row(target.parameters, parameters)] as const,
  ].filter(([, text]) => text !== false);
  return [
    rows.length > 0 ? pairs(rows) : html`<p>Blocks only.</p>`,
    !met && html`<p class="bad">Nothing more could go: the share was not reached.</p>`,
  ];
}
