/**
 * The smallest rank in [1, limit] whose measured error is within the bound, by binary search with real forward passes
 * of the layer (R. Dyro's rule). The error is taken to fall with the rank; rounding can break that by a hair, so what
 * is returned was itself measured and keeps the bound.
 * @returns `undefined` where even `limit` does not keep it
 */
export async function smallestRank<T extends { error: number }>(
  limit: number,
  bound: number,
  measure: (rank: number) => Promise<T>,
): Promise<T | undefined> {
  if (limit < 1) return undefined;
  let best = await measure(limit);
  if (!(best.error <= bound)) return undefined;
  let low = 1;
  let high = limit;
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
