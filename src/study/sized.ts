import { WhittleError } from '../graph/errors.js';
import type { Network } from '../nn/network.js';

export interface FactorOptions {
  /** Factors to look between; default 0.01 to 1. */
  readonly from?: number;
  readonly to?: number;
  /** What is to be equal; default the count of parameters. */
  readonly sizeOf?: (network: Network) => number;
}

/**
 * The factor, by bisection, at which a network comes nearest to a size: the dense network of equal size that a compact
 * one must beat.
 * @param build a network whose size grows with the factor, e.g. `width => cifarResNet({ …, width })`
 * @throws WhittleError where the size lies outside of what these factors give
 */
export function factorForSize(
  target: number,
  build: (factor: number) => Network,
  { from = 0.01, to = 1, sizeOf = network => network.parameterCount() }: FactorOptions = {},
): number {
  const size = (factor: number) => sizeOf(build(factor));
  let [low, high] = [from, to];
  const [least, most] = [size(low), size(high)];
  if (target < least || target > most) {
    throw new WhittleError(`no factor from ${from} to ${to} gives a network of size ${target}`, {
      hint: `They give ${least} to ${most}`,
    });
  }
  while (high - low > 1e-4) {
    const middle = (low + high) / 2;
    if (size(middle) < target) low = middle;
    else high = middle;
  }
  return target - size(low) < size(high) - target ? low : high;
}
