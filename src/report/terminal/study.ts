import type { ClaimOutcome } from '../../study/claims.js';
import type { ArmSummary, StudyReport } from '../../study/summary.js';
import { plural, printable } from '../format.js';
import { begunArms, differenceText, figureText, idleText, markedP, testNote } from '../study.js';
import { capitalized, claimRows, claimsNote } from '../study-claims.js';
import { studySummary } from '../study-summary.js';
import { type TextOptions, textTable, wrap } from './text.js';

/** Every arm of a study in a table, what failed, and what it comes to. */
export function studyText(report: StudyReport, options: TextOptions): string {
  const { colours, width } = options;
  const { metric, columns } = report;
  const narrow = Math.min(width, 100);
  const rows = begunArms(report).map(arm => [
    printable(arm.label),
    runsText(arm),
    figureText(arm, metric),
    arm.comparison ? differenceText(arm.comparison, metric) : '–',
    arm.comparison ? markedP(arm.comparison) : '–',
    ...columns.map(column => figureText(arm, column)),
  ]);
  const failed = report.arms.flatMap(arm =>
    arm.failed.map(({ seed, reason }) => `${arm.label}, seed ${seed}, failed: ${reason}`),
  );
  return [
    textTable(
      [
        { heading: 'Arm', shrinks: true },
        { heading: 'Runs', number: true },
        { heading: printable(metric.label), number: true },
        { heading: 'Difference', number: true },
        { heading: 'p', number: true },
        ...columns.map(({ label }, i) => ({ heading: printable(label), number: true, optional: i + 1 })),
      ],
      rows,
      options,
    ),
    wrap([testNote(report), printable(idleText(report) ?? '')].join(' ').trim(), narrow),
    ...(report.claims.length > 0 ? [claimsText(report, options), wrap(claimsNote(report), narrow)] : []),
    ...failed.map(text => colours.red(wrap(printable(text), narrow))),
    colours.bold(wrap(studySummary(report), narrow)),
  ].join('\n\n');
}

/** The claims in a table; what is said of several arms has a line for each. */
function claimsText(report: StudyReport, options: TextOptions): string {
  const { colours } = options;
  const toned = (outcome: ClaimOutcome) =>
    outcome === 'holds'
      ? colours.green(outcome)
      : outcome === 'contradicted'
        ? colours.red(outcome)
        : outcome;
  const rows = claimRows(report).flatMap(({ claim, against, difference, p }) => {
    const said = claim && printable(`${claim.source}: ${capitalized(claim.says)}`);
    if (claim?.than.length === 1) return [[said!, toned(claim.outcome), difference, p]];
    const row = [printable(`· to ${against}`), '', difference, p];
    return claim ? [[said!, toned(claim.outcome), '', ''], row] : [row];
  });
  return textTable(
    [
      { heading: 'Claim', wraps: true },
      { heading: 'Here' },
      { heading: 'Difference', number: true },
      { heading: 'p', number: true, optional: 1 },
    ],
    rows,
    options,
  );
}

/** `3`, `2 of 3`, `2, 1 failed`. */
export function runsText({ runs, failed, missing }: ArmSummary): string {
  const wanted = runs.length + failed.length + missing;
  const done = missing > 0 ? `${runs.length} of ${wanted}` : String(runs.length);
  return failed.length > 0
    ? `${done}, ${plural(failed.length, 'failure').replace(/ failures?/, '')} failed`
    : done;
}
