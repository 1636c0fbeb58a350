import type { Provenance } from '../study/record.js';
import type { ArmSummary, StudyReport } from '../study/summary.js';
import { plural } from './format.js';
import {
  begunArms,
  differenceText,
  figureText,
  idleText,
  labelIn,
  markedP,
  seedsText,
  testNote,
  verdictOf,
} from './study.js';
import { capitalized, claimRows, claimsNote } from './study-claims.js';
import { studySummary } from './study-summary.js';
import { runsText } from './terminal/study.js';

/** The results of a study as Markdown, for documentation to show or to link. */
export function studyMarkdown(report: StudyReport): string {
  const { metric, columns, arms } = report;
  const head = ['', 'Runs', metric.label, 'Difference', 'p', ...columns.map(({ label }) => label)];
  const row = (arm: ArmSummary) => [
    arm.label,
    runsText(arm),
    figureText(arm, metric),
    arm.comparison
      ? `${differenceText(arm.comparison, metric)}${arm.against === report.reference ? '' : ` (to ${labelIn(report, arm.against!)})`}`
      : '–',
    arm.comparison ? markedP(arm.comparison) : '–',
    ...columns.map(column => figureText(arm, column)),
  ];
  const verdicts = arms.flatMap(arm => verdictOf(report, arm) ?? []);
  const failures = arms.flatMap(arm =>
    arm.failed.map(({ seed, reason }) => `${arm.label}, seed ${seed}, failed: ${reason}`),
  );
  const shown = begunArms(report);
  const groups = [...new Set(shown.map(({ group }) => group))];
  const settings = Object.entries(report.settings).map(([name, value]) => `${name} = ${String(value)}`);
  return `${[
    `# ${report.title}`,
    report.question,
    `**${studySummary(report)}**`,
    report.claims.length > 0 && `## What the sources say\n\n${claimsTable(report)}\n\n${claimsNote(report)}`,
    report.claims.length > 0 && '## All arms',
    tableOf(
      head,
      groups.flatMap(group => [
        ...(group === undefined ? [] : [[`**${group}**`, ...head.slice(1).map(() => '')]]),
        ...shown.filter(arm => arm.group === group).map(row),
      ]),
    ),
    `Differences are to ${labelIn(report, report.reference)} unless said otherwise. ${testNote(report)}`,
    idleText(report),
    verdicts.length > 0 && listOf(verdicts),
    failures.length > 0 && `## Failed\n\n${listOf(failures)}`,
    report.notes.length > 0 && `## What it cannot show\n\n${listOf(report.notes)}`,
    `## To repeat it\n\n\`\`\`sh\n${report.command}\n\`\`\`\n\n${seedsText(report)} (${report.seeds.join(', ')}); ${settings.join(', ')}. ${madeText(report)}`,
    'Written by `whittle study` from `results.jsonl`, which holds every run; `results.html` shows more.',
  ]
    .filter(Boolean)
    .join('\n\n')}\n`;
}

const claimsTable = (report: StudyReport): string =>
  tableOf(
    ['Claim', 'Source', 'Here', 'Difference', 'p'],
    claimRows(report).map(({ claim, arms, difference, p }) => [
      claim ? capitalized(claim.says) : '',
      claim?.source ?? '',
      claim ? claim.outcome : '',
      `${difference === '–' ? '' : `${difference}, `}${arms}`,
      p,
    ]),
    [4],
  );

/** How many runs are older than the study's file. Those of arms that have another version since are not in the report. */
export const outdatedText = ({ outdated, arms }: StudyReport): string =>
  `The study’s file has changed since ${outdated} of ${plural(
    arms.reduce((sum, { runs }) => sum + runs.length, 0),
    'run',
  )} were made, but not what they compute: their arms have the same versions.`;

/** What the runs were made with: a sentence for each machine and version, with the commits of its runs. */
export function madeText(report: StudyReport): string {
  const kinds = new Map<string, string[]>();
  for (const { commit, ...made } of report.made) {
    const key = JSON.stringify(made);
    kinds.set(key, [...(kinds.get(key) ?? []), commit ?? 'unknown']);
  }
  const sentences = [...kinds].map(([key, commits]) => {
    const { whittle, node, onnxruntime, platform, cpu, threads, jobs } = JSON.parse(key) as Provenance;
    const from = commits.every(commit => commit === 'unknown') ? '' : ` (commit ${commits.join(', ')})`;
    const rough = jobs === 1 ? '' : ` in each of ${jobs} runs side by side, so that times are rough`;
    return `Whittle ${whittle}${from}, ONNX Runtime ${onnxruntime}, Node ${node}, ${platform}, ${cpu}; ${plural(threads, 'thread')}${rough}.`;
  });
  return [...sentences, ...(report.outdated > 0 ? [outdatedText(report)] : [])].join(' ');
}

/** `numbers` are the columns to align to the right; all but the first unless said otherwise. */
const tableOf = (
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [...head.keys()].slice(1),
): string =>
  [
    line(head),
    line(head.map((_, i) => (numbers.includes(i) ? '---:' : '---'))),
    ...rows.map(cells => line(cells)),
  ].join('\n');

const line = (cells: readonly string[]): string =>
  `| ${cells.map(cell => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;

const listOf = (items: readonly string[]): string =>
  items.map(item => `- ${item.replaceAll('\n', ' ')}`).join('\n');
