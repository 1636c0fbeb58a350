import {
  blockedTest,
  blockVariance,
  type Comparison,
  holm,
  pairedTest,
  separateTest,
  welchTest,
} from './statistics/compare.js';
import { spreadsOf } from './statistics/spread.js';

/** An arm against the one that it is compared with. */
export interface ArmComparison extends Comparison {
  readonly against: string;
  /** p-value by Holm's correction over the comparisons of the group. */
  readonly corrected: number;
  readonly seeds: number;
}

/** What a comparison takes to know of an arm. */
export interface ComparedArm {
  readonly name: string;
  readonly group?: string;
  readonly against?: string;
  /** The deciding figure by seed; none where a run lacks it. */
  readonly values: ReadonlyMap<number, number>;
  readonly runs?: readonly unknown[];
}

/** Two arms to compare. */
export interface Pair {
  readonly arm: ComparedArm;
  readonly other: ComparedArm;
  /** Those whose values tell what chance does, where they have the same seeds. */
  readonly peers: readonly ComparedArm[];
}

/** Differences that chance makes more rarely than this count as told apart. */
export const LEVEL = 0.05;

export type BetterIs = 'higher' | 'lower';

/** What a comparison says: better, worse, or that chance may have made the difference. */
export function outcomeOf(
  { difference, corrected }: Pick<ArmComparison, 'difference' | 'corrected'>,
  { betterIs }: { readonly betterIs: BetterIs },
): 'better' | 'worse' | 'unclear' {
  if (!(corrected < LEVEL)) return 'unclear';
  return difference > 0 === (betterIs === 'higher') ? 'better' : 'worse';
}

/** Tests that a study may ask for. */
export type AskedTest = 'blocked' | 'paired' | 'welch';

/**
 * Every arm against its rival, in the order given; `undefined` where there is none, or too few runs. Where no test is
 * asked for, arms with the same seeds share their spread as far as it is alike, see `spreadsOf`.
 */
export function compareArms(arms: readonly ComparedArm[], test?: AskedTest): (ArmComparison | undefined)[] {
  const found = new Map<ComparedArm, ArmComparison>();
  for (const group of new Set(arms.map(arm => arm.group))) {
    const peers = armsComparedIn(arms, group);
    const pairs = rivalsIn(arms, group).map(pair => ({ ...pair, peers }));
    comparePairs(pairs, test).forEach((comparison, i) => {
      if (comparison) found.set(pairs[i]!.arm, comparison);
    });
  }
  return arms.map(arm => found.get(arm));
}

/** The arms of a group that have a rival, and these. */
export const armsComparedIn = (
  arms: readonly ComparedArm[],
  group: string | undefined,
): readonly ComparedArm[] => [...new Set(rivalsIn(arms, group).flatMap(({ arm, other }) => [arm, other]))];

const rivalsIn = (arms: readonly ComparedArm[], group: string | undefined) =>
  arms.flatMap(arm => {
    const other = arms.find(({ name }) => name === arm.against);
    return arm.group === group && other ? [{ arm, other }] : [];
  });

/** Each pair's comparison, corrected for all that are given; `undefined` where there are too few runs. */
export function comparePairs(pairs: readonly Pair[], test?: AskedTest): (ArmComparison | undefined)[] {
  const compared = pairs.map(pair => compare(pair, test));
  const corrected = holm(compared.flatMap(comparison => comparison?.p ?? []));
  let next = 0;
  return compared.map(
    (comparison, i) =>
      comparison && { ...comparison, against: pairs[i]!.other.name, corrected: corrected[next++]! },
  );
}

function compare(
  { arm, other, peers }: Pair,
  test?: AskedTest,
): (Comparison & { readonly seeds: number }) | undefined {
  const seeds = [...arm.values.keys()].filter(seed => other.values.has(seed));
  const same = (compared: ComparedArm) =>
    compared.values.size === seeds.length && seeds.every(seed => compared.values.has(seed));
  if (test === 'welch' || (test === undefined && !(same(arm) && same(other)))) {
    const comparison = welchTest([...arm.values.values()], [...other.values.values()]);
    return comparison && { ...comparison, seeds: Math.min(arm.values.size, other.values.size) };
  }
  const among = ({ values }: ComparedArm) => seeds.map(seed => values.get(seed)!);
  const rest = peers.filter(peer => peer !== arm && peer !== other && same(peer)).map(among);
  const tested = test === undefined ? bySpread : test === 'paired' ? pairedTest : inBlocks;
  const comparison = tested(among(arm), among(other), rest);
  return comparison && { ...comparison, seeds: seeds.length };
}

type Row = readonly number[];

/** With two arms, both are the same test. */
const inBlocks = (a: Row, b: Row, rest: readonly Row[]): Comparison | undefined =>
  rest.length > 0 ? blockedTest(a, b, rest) : pairedTest(a, b);

/** With the spread of the arms that are alike in it, and the own one of an arm that is not. */
function bySpread(a: Row, b: Row, rest: readonly Row[]): Comparison | undefined {
  if (rest.length === 0 || a.length < 2) return inBlocks(a, b, rest);
  const rows = [a, b, ...rest];
  const { alike, own } = spreadsOf(rows);
  const shared = alike.map(i => rows[i]!);
  if (!own.has(0) && !own.has(1)) {
    return inBlocks(
      a,
      b,
      shared.filter(row => row !== a && row !== b),
    );
  }
  const pooled = blockVariance(shared);
  return separateTest(a, b, own.has(0) ? undefined : pooled, own.has(1) ? undefined : pooled);
}
