import { outcomeOf } from '../study/compare-arms.js';
import type { ArmSummary, StudyReport } from '../study/summary.js';
import { plural } from './format.js';
import { labelIn, seedsText, verdictOf } from './study.js';
import { claimsSummary } from './study-claims.js';

/** The outcome of the whole study in a sentence or two; what became of the claims comes first. */
export function studySummary(report: StudyReport): string {
  const claims = claimsSummary(report);
  const compared = report.arms.filter(arm => arm.comparison);
  if (compared.length === 0) return nothingCompared(report);
  if (claims !== undefined) return `${claims} ${countsOf(report, compared)}`;
  if (compared.length <= 2) return compared.map(arm => verdictOf(report, arm)).join(' ');
  const by = (outcome: string) =>
    compared.filter(arm => outcomeOf(arm.comparison!, report.metric) === outcome);
  const named = (arms: readonly ArmSummary[], verb: string) =>
    arms.length > 0 &&
    arms.map(arm => `${labelIn(report, arm.name)} ${verb} ${labelIn(report, arm.against!)}`).join('; ');
  const [better, worse, unclear] = [by('better'), by('worse'), by('unclear')];
  const told = [
    better.length <= 4 ? named(better, 'beats') : `${better.length} arms beat what they are compared with`,
    worse.length <= 4 ? named(worse, 'loses to') : `${worse.length} arms lose to what they are compared with`,
    unclear.length > 0 &&
      (unclear.length === compared.length
        ? `None of ${compared.length} arms can be told from what it is compared with`
        : `${unclear.length} cannot be told apart`),
  ].filter(Boolean);
  return `${told.join('; ')} (${report.metric.label}, ${seedsText(report)}).`;
}

/** `Arms against their rivals: 2 better, 1 worse, 5 cannot be told apart (Accuracy, 3 seeds).` */
function countsOf(report: StudyReport, compared: readonly ArmSummary[]): string {
  const told = OUTCOMES.flatMap(([outcome, word]) => {
    const { length } = compared.filter(arm => outcomeOf(arm.comparison!, report.metric) === outcome);
    return length > 0 ? [`${length} ${word}`] : [];
  });
  return `Arms against their rivals: ${told.join(', ')} (${report.metric.label}, ${seedsText(report)}).`;
}

const OUTCOMES: readonly (readonly [ReturnType<typeof outcomeOf>, string])[] = [
  ['better', 'better'],
  ['worse', 'worse'],
  ['unclear', 'cannot be told apart'],
];

function nothingCompared(report: StudyReport): string {
  const runs = report.arms.flatMap(({ runs }) => runs);
  if (runs.length === 0) return `${report.title}: no run has ended yet.`;
  return `${plural(runs.length, 'run')} of ${report.title}; with fewer than two seeds of an arm no difference can be told.`;
}
