/** One way to store a site: what it takes and what it costs in quality. Costs of different sites add up. */
export interface Option {
  readonly bytes: number;
  readonly cost: number;
}

/** A choice of one option for every site. */
export interface Allocation {
  /** Index of the option, by site. */
  readonly choice: readonly number[];
  readonly bytes: number;
  readonly cost: number;
}

/**
 * All allocations that some price of a byte makes optimal (bytes · price + cost least), from the smallest to the best
 * quality. Each is Pareto-optimal: no other allocation has at most its bytes at less cost. Between neighbours one site
 * moves one corner along the lower convex hull of its options, the steepest first.
 * (Everett 1963, "Generalized Lagrange Multiplier Method"; Shoham and Gersho 1988 for bit allocation.)
 * @param options for each site at least one option
 */
export function allocationFront(options: readonly (readonly Option[])[]): Allocation[] {
  const hulls = options.map(lowerHull);
  const moves = hulls.flatMap((hull, site) =>
    hull.slice(1).map((to, i) => {
      const [a, b] = [options[site]![hull[i]!]!, options[site]![to]!];
      return { site, to, bytes: b.bytes - a.bytes, cost: b.cost - a.cost };
    }),
  );
  moves.sort((a, b) => a.cost / a.bytes - b.cost / b.bytes);
  const choice = hulls.map(hull => hull[0]!);
  let bytes = 0;
  let cost = 0;
  for (const [site, option] of choice.entries()) {
    bytes += options[site]![option]!.bytes;
    cost += options[site]![option]!.cost;
  }
  const front: Allocation[] = [{ choice: [...choice], bytes, cost }];
  for (const move of moves) {
    choice[move.site] = move.to;
    bytes += move.bytes;
    cost += move.cost;
    front.push({ choice: [...choice], bytes, cost });
  }
  return front;
}

/** Corners of the lower convex hull, fewest bytes first, cost falling; as indices. */
function lowerHull(options: readonly Option[]): number[] {
  const order = options.map((_, i) => i);
  order.sort((i, j) => options[i]!.bytes - options[j]!.bytes || options[i]!.cost - options[j]!.cost);
  const hull: number[] = [];
  for (const i of order) {
    const { bytes, cost } = options[i]!;
    if (hull.length > 0 && cost >= options[hull.at(-1)!]!.cost) continue;
    while (hull.length >= 2) {
      const a = options[hull.at(-2)!]!;
      const b = options[hull.at(-1)!]!;
      // b lies above the line from a to the new corner.
      if ((b.cost - a.cost) * (bytes - a.bytes) < (cost - a.cost) * (b.bytes - a.bytes)) break;
      hull.pop();
    }
    hull.push(i);
  }
  return hull;
}

/**
 * The allocation of least cost within a number of bytes: the best of the front that fits, then whatever single
 * improvements still fit, the most useful first.
 * @returns `undefined` where not even the smallest fits
 */
export function allocateBytes(
  options: readonly (readonly Option[])[],
  budget: number,
): Allocation | undefined {
  const fitting = allocationFront(options).findLast(allocation => allocation.bytes <= budget);
  if (!fitting) return undefined;
  const choice = [...fitting.choice];
  let { bytes, cost } = fitting;
  for (;;) {
    let best: { site: number; option: number; gain: number } | undefined;
    for (const [site, list] of options.entries()) {
      const now = list[choice[site]!]!;
      for (const [option, candidate] of list.entries()) {
        const gain = now.cost - candidate.cost;
        if (gain > (best?.gain ?? 0) && bytes - now.bytes + candidate.bytes <= budget)
          best = { site, option, gain };
      }
    }
    if (!best) return { choice, bytes, cost };
    bytes += options[best.site]![best.option]!.bytes - options[best.site]![choice[best.site]!]!.bytes;
    cost -= best.gain;
    choice[best.site] = best.option;
  }
}
