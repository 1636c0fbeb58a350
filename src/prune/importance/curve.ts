import type { ChannelGroup } from '../groups.js';

/** In which order the channels of a group go best, and what each step costs. */
export interface RemovalCurve {
  readonly group: ChannelGroup;
  /** Channels, least important first. */
  readonly order: readonly number[];
  /** How many may be gone, from few to many; sizes that are left are multiples of what was asked for. */
  readonly steps: readonly number[];
  /** The error at each step, growing: relative errors of the layers that read the channels, squared and added. */
  readonly errors: readonly number[];
}

/** Steps of a curve at most, so that large layers are not studied channel by channel. */
const MAX_STEPS = 12;

/** Of a group at least this share stays. */
const LEAST = 0.1;

/** How many channels of a group may be gone such that what is left is a multiple of `multiple`. */
export function stepsOf({ size, slices }: ChannelGroup, multiple: number): number[] {
  // A head is more than a channel, and of few channels every one counts.
  const whole = slices[0]!.some(slice => slice.indices.length > 1) || size < 2 * multiple;
  const unit = whole ? 1 : multiple;
  const least = Math.max(unit, Math.ceil(LEAST * size));
  const all: number[] = [];
  for (let left = Math.floor((size - 1) / unit) * unit; left >= least; left -= unit) all.push(size - left);
  const stride = Math.ceil(all.length / MAX_STEPS);
  return all.filter((_, i) => (i + 1) % stride === 0 || i === 0);
}
