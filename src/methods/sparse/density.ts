import { WhittleError } from '../../graph/errors.js';
import type { Parameter } from '../../nn/parameter.js';
import { parameterSize } from '../../train/step/units.js';

/** How the weights that are kept are spread over the layers before anything is known of them. */
export type Spread = 'uniform' | 'erk';

/**
 * Splits a whole number into whole parts in proportion to `shares`, none above its cap; what a full part cannot take
 * goes to the others in proportion. The sum is exact: rounding is by largest remainders, the first of equals first.
 * @throws WhittleError where the caps leave no room
 */
export function apportion(
  total: number,
  shares: readonly number[],
  caps: readonly number[],
): readonly number[] {
  const room = caps.reduce((sum, cap) => sum + cap, 0);
  if (total > room) throw new WhittleError(`${total} weights do not fit into ${room} places`);
  const parts = caps.map(() => 0);
  let open = caps.flatMap((cap, i) => (cap > 0 ? [i] : []));
  let left = total;
  // Who would get more than fits is filled, and the rest divided anew.
  for (;;) {
    let weight = open.reduce((sum, i) => sum + shares[i]!, 0);
    const shareOf = weight > 0 ? (i: number) => shares[i]! : (i: number) => caps[i]!;
    if (!(weight > 0)) weight = open.reduce((sum, i) => sum + caps[i]!, 0);
    const full = open.filter(i => (left * shareOf(i)) / weight >= caps[i]!);
    if (full.length === 0) {
      distribute(
        left,
        open.map(i => (left * shareOf(i)) / weight),
        open,
        parts,
        caps,
      );
      return parts;
    }
    for (const i of full) {
      parts[i] = caps[i]!;
      left -= caps[i]!;
    }
    open = open.filter(i => !full.includes(i));
    if (open.length === 0) return parts;
  }
}

/** Rounds `ideals`, which add up to `total`, down, and gives what is missing to the largest remainders. */
function distribute(
  total: number,
  ideals: readonly number[],
  open: readonly number[],
  parts: number[],
  caps: readonly number[],
): void {
  let missing = total;
  open.forEach((part, n) => {
    parts[part] = Math.floor(ideals[n]!);
    missing -= parts[part]!;
  });
  const byRemainder = open
    .map((part, n) => ({ part, remainder: ideals[n]! - Math.floor(ideals[n]!) }))
    .sort((a, b) => b.remainder - a.remainder);
  for (const { part } of byRemainder) {
    if (missing <= 0) break;
    if (parts[part]! >= caps[part]!) continue;
    parts[part]!++;
    missing--;
  }
}

/**
 * How many weights each layer keeps of `total` in all: `uniform`, the same share of each; `erk`, a share in proportion
 * to the sum of the weight's dimensions over their product, so that small layers are denser (Erdős–Rényi-Kernel, Evci
 * et al., ICML 2020, https://arxiv.org/abs/1911.11134). A layer whose share would exceed 1 is dense.
 */
export function layerCounts(
  layers: readonly Pick<Parameter, 'dims'>[],
  total: number,
  spread: Spread,
): readonly number[] {
  const sizes = layers.map(parameterSize);
  const sums = layers.map(({ dims }) => dims.reduce((sum, dim) => sum + dim, 0));
  return apportion(total, spread === 'erk' ? sums : sizes, sizes);
}

/**
 * How many weights each layer keeps by the smart ratio of Su et al. (NeurIPS 2020, https://arxiv.org/abs/2009.11094):
 * shares of (L − l + 1)² + (L − l + 1) for layers l = 1 … L, so that later layers are sparser.
 */
export function smartCounts(layers: readonly Pick<Parameter, 'dims'>[], total: number): readonly number[] {
  const sizes = layers.map(parameterSize);
  const shares = sizes.map((size, i) => {
    const k = layers.length - i;
    return size * (k * k + k);
  });
  return apportion(total, shares, sizes);
}
