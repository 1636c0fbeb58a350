import type { CompressReport } from '../../compress/report.js';
import { formatBytes, formatCount, formatDuration, formatNumber, formatPercent } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { scoreText } from '../scores.js';
import { table } from '../table.js';

interface Change {
  name: string;
  note?: string | undefined;
  before: string;
  after: string;
  change: Piece;
}

/** What a report of any verb may have measured twice. */
export type Measured = Pick<CompressReport, 'bytes' | 'parameters' | 'flops' | 'load' | 'time' | 'scores'>;

/** Everything that has a value before and after: bytes, parameters, work, memory, times, and the user's scores. */
export function changes(report: Measured): Markup {
  return table(
    changesOf(report),
    [
      {
        heading: '',
        head: true,
        cell: ({ name, note }) => [name, note !== undefined && html`<span class="quiet">${note}</span>`],
      },
      { heading: 'Before', number: true, cell: ({ before }) => before },
      { heading: 'After', number: true, cell: ({ after }) => after },
      { heading: 'Against before', number: true, cell: ({ change }) => change },
    ],
    undefined,
    true,
  );
}

function changesOf(report: Measured): Change[] {
  const { bytes, parameters, flops, load, time, scores } = report;
  const row = (
    name: string,
    note: string | undefined,
    [before, after]: readonly [number, number],
    format: (value: number) => string,
    change = formatPercent,
  ): Change => ({
    name,
    note,
    before: format(before),
    after: format(after),
    change: before > 0 ? change(after / before) : '–',
  });
  const times = (ratio: number) => `×${formatNumber(Number(ratio.toPrecision(3)))}`;
  return [
    row('File', undefined, [bytes.before, bytes.after], formatBytes),
    row(
      'Parameters',
      'numbers stored, whatever their bits',
      [parameters.before, parameters.after],
      formatCount,
    ),
    ...(flops
      ? [
          row(
            'Operations of one run',
            'floating-point, on the first input',
            [flops.before, flops.after],
            formatCount,
          ),
        ]
      : []),
    ...(load
      ? [
          row(
            'Memory',
            'of a process, after loading and one run',
            [load.beforeBytes, load.afterBytes],
            formatBytes,
          ),
          row(
            'Time to load',
            `median of ${load.runs} fresh processes`,
            [load.beforeMs, load.afterMs],
            formatDuration,
            times,
          ),
        ]
      : []),
    ...(time
      ? [
          row(
            'Time of one run',
            `median of ${time.runs}, in turns, ${time.provider}${time.clock === 'processor' ? ', processor time' : ''}`,
            [time.beforeMs, time.afterMs],
            formatDuration,
            times,
          ),
        ]
      : []),
    ...scores.map(score => {
      const { before, after, difference, change } = scoreText(score);
      const note = [score.description, `${score.betterIs} is better`].filter(Boolean).join('; ');
      return {
        name: score.name,
        note,
        before,
        after,
        change: html`<span class="${{ better: 'good', worse: 'bad', same: 'quiet' }[change]}">${difference}</span>`,
      };
    }),
  ];
}
