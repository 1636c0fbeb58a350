import { type ErrorPlace, WhittleError } from '../graph/errors.js';

const isSize = (size: unknown): boolean => Number.isSafeInteger(size) && (size as number) >= 1;

/**
 * Checks that sizes count something.
 * @param sizes by the names of the options that they were given in
 * @throws WhittleError naming the first that is no whole number of at least 1
 */
export function checkSizes(sizes: Readonly<Record<string, number>>, place: ErrorPlace = {}): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (isSize(size)) continue;
    throw new WhittleError(`${name} is ${size}, which is no size`, {
      ...place,
      hint: `Give ${name} a whole number of at least 1`,
    });
  }
}

/**
 * Checks the shape of an input or a parameter; dimensions that are named or unknown pass.
 * @throws WhittleError naming the value
 */
export function checkDims(value: string, dims: readonly (number | string | null)[]): void {
  if (dims.every(dim => dim === null || typeof dim === 'string' || isSize(dim))) return;
  throw new WhittleError(`there is no tensor of shape [${dims.join(', ')}]`, {
    value,
    hint: 'Give sizes that are whole numbers of at least 1, and that divide where parts are to be equal',
  });
}

/**
 * Channels of a network whose widths are multiplied, at least 1 each.
 * @throws WhittleError for a factor that is not positive
 */
export function scaledWidths(base: readonly number[], width: number): number[] {
  if (!(width > 0 && Number.isFinite(width))) {
    throw new WhittleError(`widths cannot be multiplied by ${width}`, {
      hint: 'Give width a number above 0; 1 is the usual width',
    });
  }
  return base.map(channels => Math.max(1, Math.round(channels * width)));
}
