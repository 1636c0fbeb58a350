/**
 * Where the columns of an image lie: each by itself (`undefined`), or two as the channels of one, pairs beginning at even
 * columns (0) or at odd ones (1; then the first pair has a column before the image, the last one behind it).
 */
export type Pairing = 0 | 1 | undefined;

/** A convolution along the width. */
export interface Along {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding before the first column. */
  readonly pad: number;
  readonly widthIn: number;
  readonly widthOut: number;
}

/** The same convolution between images whose columns lie in pairs. */
export interface PairedAlong {
  readonly kernel: number;
  readonly stride: number;
  readonly pads: readonly [before: number, after: number];
  /** For each column of the result's pair, each tap's place: which column of the kernel, and which of the pair. */
  readonly taps: readonly (readonly { readonly block: number; readonly lane: number }[])[];
}

/** How many columns lie side by side. */
export const lanesOf = (pairing: Pairing): number => (pairing === undefined ? 1 : 2);

/** The width of an image whose columns lie in pairs. */
const pairedWidth = (width: number, pairing: Pairing): number =>
  pairing === undefined ? width : (width + 2 * pairing) / 2;

/**
 * With columns c of the result and c' = stride · c + dilation · t − pad of the input at tap t: the kernel that reads pairs
 * and gives pairs.
 * @returns `undefined` where pairs do not fit together: odd widths, steps of half a pair, padding below zero
 */
export function pairAlong(along: Along, from: Pairing, to: Pairing): PairedAlong | undefined {
  const [lanesIn, lanesOut] = [lanesOf(from), lanesOf(to)];
  const stride = (along.stride * lanesOut) / lanesIn;
  const widths = [pairedWidth(along.widthIn, from), pairedWidth(along.widthOut, to)] as const;
  if (![stride, ...widths].every(Number.isInteger)) return undefined;
  const columns = Array.from({ length: lanesOut }, (_, lane) =>
    Array.from(
      { length: along.kernel },
      (_, tap) => along.stride * (lane - (to ?? 0)) + along.dilation * tap - along.pad + (from ?? 0),
    ),
  );
  const first = Math.floor(Math.min(...columns.flat()) / lanesIn);
  const last = Math.floor(Math.max(...columns.flat()) / lanesIn);
  const kernel = last - first + 1;
  const after = (widths[1] - 1) * stride + kernel + first - widths[0];
  if (first > 0 || after < 0) return undefined;
  return {
    kernel,
    stride,
    pads: [-first, after],
    taps: columns.map(lane =>
      lane.map(column => ({
        block: Math.floor(column / lanesIn) - first,
        lane: column - lanesIn * Math.floor(column / lanesIn),
      })),
    ),
  };
}
