import type { ClaimOutcome, JudgedClaim } from '../study/claims.js';
import { LEVEL } from '../study/compare-arms.js';
import type { StudyReport } from '../study/summary.js';
import { plural } from './format.js';
import { differenceText, labelIn, markedP } from './study.js';

/** One comparison of a claim, as tables show it. */
export interface ClaimRow {
  /** Absent but in the first row of a claim. */
  readonly claim?: JudgedClaim;
  /** What is compared with what. */
  readonly arms: string;
  /** What the claim's arm is compared with. */
  readonly against: string;
  readonly difference: string;
  readonly p: string;
}

/** The claims of a study, a row for each arm that a claim is about. */
export const claimRows = (report: StudyReport): ClaimRow[] =>
  report.claims.flatMap(claim =>
    claim.than.map((name, i) => {
      const comparison = claim.comparisons.find(({ against }) => against === name);
      const against = labelIn(report, name);
      return {
        ...(i === 0 && { claim }),
        arms: `${labelIn(report, claim.arm)} against ${against}`,
        against,
        difference: comparison ? differenceText(comparison, report.metric) : '–',
        p: comparison ? markedP(comparison) : '–',
      };
    }),
  );

/** `masks beat …` as a sentence begins: `Masks beat …`. */
export const capitalized = (says: string): string => says.charAt(0).toUpperCase() + says.slice(1);

/** How claims were judged, for captions. */
export function claimsNote({ claims }: StudyReport): string {
  const tests = claims.reduce((sum, { comparisons }) => sum + comparisons.length, 0);
  const corrected = tests > 1 ? `, corrected for the ${tests} comparisons here by Holm’s method` : '';
  const equal = claims.some(({ relation }) => relation === 'no worse')
    ? ' That an arm is as good as another can be contradicted, never proven.'
    : '';
  return `p: tested as the arms are${corrected}. A claim holds where all its comparisons speak for it with p < ${LEVEL}, and is contradicted where one speaks against it.${equal}`;
}

/** What became of the claims, in a few sentences: contradictions by name; `undefined` where there are none. */
export function claimsSummary({ claims }: Pick<StudyReport, 'claims'>): string | undefined {
  if (claims.length === 0) return undefined;
  const by = (outcome: ClaimOutcome) => claims.filter(claim => claim.outcome === outcome);
  const [contradicted, held] = [by('contradicted'), by('holds')];
  const named = contradicted.length + held.length <= NAMED;
  const rest = [
    ...(named || held.length === 0 ? [] : [`${held.length} ${held.length === 1 ? 'holds' : 'hold'}`]),
    ...OPEN.flatMap(([outcome, verb]) => {
      const { length } = by(outcome);
      return length > 0 ? [`${length} ${verb(length)}`] : [];
    }),
  ];
  if (by('cannot be told').length === claims.length)
    return `None of ${plural(claims.length, 'claim')} can be told.`;
  return [
    contradicted.length > 0 && `Contradicts ${bySource(contradicted)}.`,
    named && held.length > 0 && `Bears out ${bySource(held)}.`,
    rest.length > 0 && `Of ${plural(claims.length, 'claim')} ${rest.join(', ')}.`,
  ]
    .filter(Boolean)
    .join(' ');
}

/** So many claims are told by name; contradicted ones always are. */
const NAMED = 3;

const OPEN: readonly (readonly [ClaimOutcome, (count: number) => string])[] = [
  ['not contradicted', count => `${count === 1 ? 'is' : 'are'} not contradicted`],
  ['cannot be told', () => 'cannot be told'],
  ['not run', count => `${count === 1 ? 'was' : 'were'} not run`],
];

/** `Khodak et al. 2021: this; that. Evci et al. 2020: …`, without the last full stop. */
function bySource(claims: readonly JudgedClaim[]): string {
  const sources = [...new Set(claims.map(({ source }) => source))];
  return sources
    .map(source => {
      const own = claims.filter(claim => claim.source === source);
      return `${source}: ${own.map(({ says }) => says).join('; ')}`;
    })
    .join(', and ');
}
