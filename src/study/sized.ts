import { WhittleError } from '../graph/errors.js';
import type { Network } from '../nn/network.js';

/**
 * The factor, by bisection, at which a network comes nearest to a count of parameters: the dense network of equal size
 * that a compact one must beat.
 * @param build a network whose size grows with the factor, e.g. `width => cifarResNet({ …, width })`
 * @param from factors to look between; default 0.01 to 1
 * @throws WhittleError where the count lies outside of what these factors give
 */
export function factorForSize(
  count: number,
  build: (factor: number) => Network,
  { from = 0.01, to = 1 }: { readonly from?: number; readonly to?: number } = {},
): number {
  const size = (factor: number) => build(factor).parameterCount();
  let [low, high] = [from, to];
  const [least, most] = [size(low), size(high)];
  if (count < least || count > most) {
    throw new WhittleError(`no factor from ${from} to ${to} gives a network of ${count} parameters`, {
      hint: `They give ${least} to ${most}`,
    });
  }
  while (high - low > 1e-4) {
    const middle = (low + high) / 2;
    if (size(middle) < count) low = middle;
    else high = middle;
  }
  return count - size(low) < size(high) - count ? low : high;
}
