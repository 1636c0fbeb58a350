import {
  type ArmComparison,
  type AskedTest,
  armsComparedIn,
  type BetterIs,
  type ComparedArm,
  comparePairs,
  outcomeOf,
} from './compare-arms.js';

/** What a source says of arms of the study, by the deciding figure. */
export type Claim = {
  /** Who says it, e.g. `Khodak et al. 2021`. */
  readonly source: string;
  /** In a short sentence of one's own, without capital and full stop, e.g. `masks beat a narrower network`. */
  readonly says: string;
  /** Other arms. The claim is about each of them. */
  readonly than: string | readonly string[];
} & (
  | { /** The arm that is said to be better. */ readonly better: string }
  | { /** The arm that is said to be as good at least. */ readonly noWorse: string }
);

/**
 * What the runs say of a claim. Three seeds cannot prove that arms are equal: that one is no worse is `not
 * contradicted` at most, unless it is better, which `holds`.
 */
export type ClaimOutcome = 'holds' | 'contradicted' | 'not contradicted' | 'cannot be told' | 'not run';

/** A claim and what the runs say of it. */
export interface JudgedClaim {
  readonly source: string;
  readonly says: string;
  readonly arm: string;
  readonly relation: 'better' | 'no worse';
  readonly than: readonly string[];
  readonly outcome: ClaimOutcome;
  /** The arm against those of `than` that have enough runs; corrected for all comparisons of all claims. */
  readonly comparisons: readonly ArmComparison[];
}

/** Judges the claims of a study together: p-values are corrected for all their comparisons by Holm's method. */
export function judgeClaims(
  claims: readonly Claim[],
  arms: readonly ComparedArm[],
  metric: { readonly betterIs: BetterIs },
  test?: AskedTest,
): JudgedClaim[] {
  const named = new Map(arms.map(arm => [arm.name, arm]));
  const stated = claims.map(claim => ({ claim, ...statementOf(claim) }));
  const pairs = stated.flatMap(({ arm: name, than }) =>
    than.map(against => {
      const [arm, other] = [named.get(name)!, named.get(against)!];
      return { arm, other, peers: peersOf(arms, arm, other) };
    }),
  );
  const compared = comparePairs(pairs, test);
  let next = 0;
  return stated.map(({ claim: { source, says }, arm, relation, than }) => {
    const own = compared.slice(next, next + than.length);
    next += than.length;
    const comparisons = own.flatMap(comparison => comparison ?? []);
    const hasRun = (name: string) => {
      const { values, runs = [] } = named.get(name)!;
      return values.size > 0 || runs.length > 0;
    };
    const outcome = judge(relation, {
      begun: hasRun(arm) && than.some(hasRun),
      complete: comparisons.length === than.length,
      told: comparisons.map(comparison => outcomeOf(comparison, metric)),
    });
    return { source, says, arm, relation, than, outcome, comparisons };
  });
}

function judge(
  relation: JudgedClaim['relation'],
  runs: {
    readonly begun: boolean;
    readonly complete: boolean;
    readonly told: readonly ReturnType<typeof outcomeOf>[];
  },
): ClaimOutcome {
  if (!runs.begun) return 'not run';
  if (runs.told.includes('worse')) return 'contradicted';
  if (runs.complete && runs.told.every(told => told === 'better')) return 'holds';
  return relation === 'no worse' && runs.complete ? 'not contradicted' : 'cannot be told';
}

/** The group in which both are compared with others already, so that a difference has one standard error only. */
function peersOf(arms: readonly ComparedArm[], arm: ComparedArm, other: ComparedArm): readonly ComparedArm[] {
  const groups = [arm.group, other.group].map(group => armsComparedIn(arms, group));
  return groups.find(group => group.includes(arm) && group.includes(other)) ?? [];
}

function statementOf(claim: Claim): Pick<JudgedClaim, 'arm' | 'relation' | 'than'> {
  const than = typeof claim.than === 'string' ? [claim.than] : claim.than;
  return 'better' in claim
    ? { arm: claim.better, relation: 'better', than }
    : { arm: claim.noWorse, relation: 'no worse', than };
}

/** Calls `fail` where claims make no sense, or are about arms that there are not. */
export function checkClaims(
  claims: readonly Claim[],
  arms: readonly string[],
  fail: (problem: string, hint: string) => never,
): void {
  if (!Array.isArray(claims)) fail('the claims are no list', 'Give claims: [{ source, says, better, than }]');
  for (const claim of claims as readonly Partial<Claim & { better: string; noWorse: string }>[]) {
    const { source, says, better, noWorse, than } = claim;
    if (!source || !says) fail('a claim lacks its source or what it says', 'Give it source and says');
    const of = `the claim "${says}"`;
    if ((better === undefined) === (noWorse === undefined)) {
      fail(`${of} does not say which arm it is about`, 'Give it one of better and noWorse');
    }
    const subject = better ?? noWorse;
    const others = typeof than === 'string' ? [than] : (than ?? []);
    if (others.length === 0) fail(`${of} compares with nothing`, 'Name an arm, or several, in than');
    for (const arm of [subject!, ...others]) {
      if (!arms.includes(arm)) {
        fail(`${of} refers to "${arm}", which is no arm`, `Arms are ${arms.join(', ')}`);
      }
    }
    if (others.includes(subject!))
      fail(`${of} compares "${subject}" with itself`, 'Name another arm in than');
  }
}
