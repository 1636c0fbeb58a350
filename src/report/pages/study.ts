import { outcomeOf } from '../../study/compare-arms.js';
import type { FinishedRecord } from '../../study/record.js';
import type { ArmSummary, StudyReport } from '../../study/summary.js';
import { plural } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { page, section } from '../page.js';
import { curveKey, curvePlot } from '../plot/curves.js';
import { studyPlot, toneOf } from '../plot/study.js';
import { responsive } from '../responsive.js';
import {
  begunArms,
  differenceText,
  figureText,
  idleText,
  labelIn,
  markedP,
  testNote,
  valueText,
  verdictOf,
} from '../study.js';
import { capitalized, claimRows, claimsNote } from '../study-claims.js';
import { madeText, outdatedText } from '../study-markdown.js';
import { studySummary } from '../study-summary.js';
import { pairs, table } from '../table.js';
import { runsText } from '../terminal/study.js';
import { dayOf } from './compress.js';

/** The page of a study: verdict, plot, tables, curves, every run, and how to repeat it. */
export function studyPage(report: StudyReport): string {
  const { arms, notes } = report;
  const verdicts = arms.flatMap(arm => verdictOf(report, arm) ?? []);
  const curves = curveNames(report);
  return page({
    title: report.title,
    origin: html`<span><b>${report.title}</b></span><time datetime="${report.date}">${dayOf(report.date)}</time>`,
    headline: studySummary(report),
    body: [
      warnings(report),
      report.claims.length > 0 && section('What the sources say', claimsTable(report)),
      section(
        'Question',
        html`<p>${report.question}</p>`,
        notes.length > 0 && html`<ul>${notes.map(note => html`<li>${note}</li>`)}</ul>`,
      ),
      section('Result', figure(report), armTable(report)),
      verdicts.length > 0 &&
        section('Comparisons', html`<ul>${verdicts.map(verdict => html`<li>${verdict}</li>`)}</ul>`),
      curves.length > 0 && section('Over training', multiples(report, curves)),
      section('Every run', runTable(report)),
      section('Settings', settings(report)),
      section('How to repeat it', repeat(report)),
    ],
    footer: html`Written by Whittle from results.jsonl, which holds every run. 1 MB is 10⁶ bytes.`,
  });
}

function warnings(report: StudyReport): Piece {
  const { arms, outdated } = report;
  const failed = arms.flatMap(arm =>
    arm.failed.map(({ seed, reason }) => `${arm.label}, seed ${seed}, failed: ${reason}`),
  );
  const missing = arms.reduce((sum, arm) => sum + arm.missing, 0);
  const items = [
    ...failed,
    ...(missing > 0 ? [`${plural(missing, 'run')} ${missing === 1 ? 'is' : 'are'} still to come.`] : []),
    ...(outdated > 0 ? [outdatedText(report)] : []),
  ];
  return (
    items.length > 0 &&
    section('Read this first', html`<ul>${items.map(item => html`<li>${item}</li>`)}</ul>`)
  );
}

const figure = (report: StudyReport): Markup =>
  html`<figure>${responsive(size => studyPlot(report, size))}<figcaption>Means over seeds; bars are standard errors.</figcaption></figure>`;

const TONES: Readonly<Record<string, string>> = { holds: 'good', contradicted: 'bad' };

const claimsTable = (report: StudyReport): Markup =>
  table(
    claimRows(report),
    [
      {
        heading: 'Claim',
        head: true,
        cell: ({ claim }) =>
          claim && html`${capitalized(claim.says)}<span class="quiet">${claim.source}</span>`,
      },
      {
        heading: 'Here',
        cell: ({ claim }) => claim && html`<span class="${TONES[claim.outcome]}">${claim.outcome}</span>`,
      },
      {
        heading: 'Difference',
        cell: ({ difference, arms }) =>
          html`<span class="fixed">${difference}</span><span class="quiet">${arms}</span>`,
      },
      { heading: 'p', cell: ({ p }) => html`<span class="fixed">${p}</span>` },
    ],
    claimsNote(report),
    true,
  );

function armTable(report: StudyReport): Markup {
  const { metric, columns } = report;
  const arms = begunArms(report);
  const grouped = arms.some(({ group }) => group !== undefined);
  const better = (arm: ArmSummary) => {
    const outcome = arm.comparison ? outcomeOf(arm.comparison, metric) : 'unclear';
    return outcome === 'better' ? 'good' : outcome === 'worse' ? 'bad' : '';
  };
  return table(
    arms,
    [
      {
        heading: 'Arm',
        head: true,
        key: arm => arm.label,
        cell: arm =>
          html`<span class="fixed">${arm.label}</span>${grouped && arm.group !== undefined && html`<span class="quiet fixed">${arm.group}</span>`}`,
      },
      { heading: 'Runs', number: true, cell: runsText },
      {
        heading: metric.label,
        key: arm => arm.figures[metric.figure]?.mean ?? 0,
        cell: arm => figureText(arm, metric),
      },
      {
        heading: 'Difference',
        key: arm => arm.comparison?.difference ?? 0,
        cell: arm =>
          arm.comparison
            ? html`<span class="${better(arm)}">${differenceText(arm.comparison, metric)}</span><span class="quiet fixed">to ${labelIn(report, arm.against!)}</span>`
            : '–',
      },
      {
        heading: 'p',
        key: arm => arm.comparison?.corrected ?? 1,
        cell: arm => (arm.comparison ? markedP(arm.comparison) : '–'),
      },
      ...columns.map(column => ({
        heading: column.label,
        key: (arm: ArmSummary) => arm.figures[column.figure]?.mean ?? 0,
        cell: (arm: ArmSummary) => figureText(arm, column),
      })),
    ],
    [testNote(report), idleText(report)].filter(Boolean).join(' '),
    true,
  );
}

/** Curves that some arm has: the deciding figure first, then other evaluations, then those of steps. */
function curveNames({ arms, metric }: StudyReport): string[] {
  const names = [...new Set(arms.flatMap(({ curves }) => Object.keys(curves)))];
  const order = (name: string) => (name === `test ${metric.figure}` ? 0 : name.startsWith('test ') ? 1 : 2);
  return names.sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
}

function multiples({ arms }: StudyReport, names: readonly string[]): Markup {
  const tones = arms.map((arm, i) => ({ arm, name: arm.label, ...toneOf(i) }));
  const plots = names.map(name => {
    const lines = tones.flatMap(({ arm, ...tone }) => {
      const points = arm.curves[name];
      return points ? [{ ...tone, points }] : [];
    });
    const description = `${name} over training, a line an arm, the mean over its seeds.`;
    return html`<li>${curvePlot({ title: name, description, lines, xLabel: 'updates' })}</li>`;
  });
  const shown = tones.filter(({ arm }) => Object.keys(arm.curves).length > 0);
  return html`<ul class="multiples">${plots}</ul>${curveKey(shown)}`;
}

function runTable(report: StudyReport): Markup {
  const { metric, columns, arms } = report;
  const rows = arms.flatMap(arm => arm.runs.map(run => ({ arm, run })));
  type Row = { arm: ArmSummary; run: FinishedRecord };
  const shown = [metric, ...columns];
  const others = [...new Set(rows.flatMap(({ run }) => Object.keys(run.figures)))].filter(
    name => !shown.some(column => column.figure === name),
  );
  const all = [...shown, ...others.map(name => report.figures[name]!)];
  return table<Row>(
    rows,
    [
      {
        heading: 'Arm',
        head: true,
        key: ({ arm }) => arm.label,
        cell: ({ arm }) => html`<span class="fixed">${arm.label}</span>`,
      },
      { heading: 'Seed', key: ({ run }) => run.seed, cell: ({ run }) => run.seed },
      ...all.map(({ figure: name, label, format, absent = '–' }) => ({
        heading: label,
        key: ({ run }: Row) => run.figures[name] ?? 0,
        cell: ({ run }: Row) => (name in run.figures ? valueText(run.figures[name], format) : absent),
      })),
    ],
    'Figures of single runs. Sort by a column’s heading.',
    true,
  );
}

const settings = (report: StudyReport): Markup =>
  pairs([
    ...Object.entries(report.settings).map(([name, value]) => [name, String(value)] as const),
    ['seeds', report.seeds.join(', ')],
    ['made with', madeText(report)],
  ]);

const repeat = ({ command }: StudyReport): Markup =>
  html`<div class="repeat"><button type="button" data-copy hidden>Copy</button><pre><code>${command}</code></pre></div>`;
