import type { CompressReport } from '../../compress/report.js';
import { html, type Markup } from '../markup.js';
import { figureOf } from '../outcome.js';
import { table } from '../table.js';

/** What was asked for, what came out, and whether it holds. */
export const budget = (report: CompressReport): Markup =>
  table(report.budget, [
    { heading: 'Asked for', head: true, cell: ({ bound }) => html`<code>${bound}</code>` },
    { heading: 'Limit', number: true, cell: outcome => figureOf(outcome, outcome.limit) },
    { heading: 'Measured', number: true, cell: outcome => figureOf(outcome, outcome.measured) },
    {
      heading: '',
      cell: ({ held }) =>
        held ? html`<span class="good">holds</span>` : html`<strong class="bad">does not hold</strong>`,
    },
  ]);
