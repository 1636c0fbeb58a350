import { blockedTest, type Comparison, holm, pairedTest, welchTest } from './statistics/compare.js';

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
  /** The deciding figure by seed. */
  readonly values: ReadonlyMap<number, number>;
}

interface Pair {
  readonly arm: ComparedArm;
  readonly other: ComparedArm;
}

/** Every arm against its rival, in the order given; `undefined` where there is none, or too few runs. */
export function compareArms(
  arms: readonly ComparedArm[],
  test?: Comparison['test'],
): (ArmComparison | undefined)[] {
  const found = new Map<ComparedArm, ArmComparison>();
  for (const group of new Set(arms.map(arm => arm.group))) {
    const pairs = arms.flatMap(arm => {
      const other = arms.find(({ name }) => name === arm.against);
      return arm.group === group && other ? [{ arm, other }] : [];
    });
    const tested = pairs.flatMap(pair => {
      const comparison = compare(pair, pairs, test);
      return comparison ? [{ pair, comparison }] : [];
    });
    const corrected = holm(tested.map(({ comparison }) => comparison.p));
    tested.forEach(({ pair: { arm, other }, comparison }, i) => {
      found.set(arm, { ...comparison, against: other.name, corrected: corrected[i]! });
    });
  }
  return arms.map(arm => found.get(arm));
}

function compare(
  { arm, other }: Pair,
  group: readonly Pair[],
  test?: Comparison['test'],
): (Comparison & { readonly seeds: number }) | undefined {
  const seeds = [...arm.values.keys()].filter(seed => other.values.has(seed));
  const among = ({ values }: ComparedArm) => seeds.map(seed => values.get(seed)!);
  const same = (compared: ComparedArm) =>
    compared.values.size === seeds.length && seeds.every(seed => compared.values.has(seed));
  const chosen = test ?? (same(arm) && same(other) ? 'blocked' : 'welch');
  if (chosen === 'welch') {
    const comparison = welchTest([...arm.values.values()], [...other.values.values()]);
    return comparison && { ...comparison, seeds: Math.min(arm.values.size, other.values.size) };
  }
  // With two arms, both are the same test.
  const peers = new Set(
    chosen === 'blocked' ? group.flatMap(pair => [pair.arm, pair.other]).filter(same) : [],
  );
  const rest = [...peers].filter(peer => peer !== arm && peer !== other);
  const comparison =
    rest.length > 0
      ? blockedTest(among(arm), among(other), rest.map(among))
      : pairedTest(among(arm), among(other));
  return comparison && { ...comparison, seeds: seeds.length };
}
