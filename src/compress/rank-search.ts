/**
 * The smallest rank in [least, limit] whose measured error is within the bound, by binary search (R. Dyro's rule, there
 * with real forward passes of the layer). The error is taken to fall with the rank; rounding can break that by a hair,
 * so what is returned was itself measured and keeps the bound. Where `least` is more than 1, the answer is taken to be
 * near it: steps of doubling size come first.
 * @returns `undefined` where even `limit` does not keep it
 */
export async function smallestRank<T extends { error: number }>(
  limit: number,
  bound: number,
  least: number,
  measure: (rank: number) => Promise<T>,
): Promise<T | undefined> {
  if (limit < least) return undefined;
  let low = least;
  let high = least === 1 ? limit : least;
  let best = await measure(high);
  for (let step = 1; !(best.error <= bound); step *= 2) {
    if (high === limit) return undefined;
    low = high + 1;
    high = Math.min(high + step, limit);
    best = await measure(high);
  }
  // Invariant: `best` is the measurement at `high` and keeps the bound.
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const result = await measure(middle);
    if (result.error <= bound) {
      best = result;
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return best;
}
