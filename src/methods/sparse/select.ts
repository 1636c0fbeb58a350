/**
 * Marks the `count` largest scores with 1, the others with 0. Of equal scores the first come first, so that the count
 * is exact and the choice the same everywhere. NaN counts as the least.
 * @param among only those are chosen from where it is 1
 */
export function largest(scores: Float32Array, count: number, among?: Float32Array): Float32Array {
  const chosen = new Float32Array(scores.length);
  markHighest(chosen, scores, count, SIGNED, among, among ? 1 : 0);
  return chosen;
}

/** As `largest`, by absolute values. */
export function largestMagnitudes(values: Float32Array, count: number): Float32Array {
  const chosen = new Float32Array(values.length);
  markMagnitudes(chosen, values, count);
  return chosen;
}

/**
 * Sets `marks` to 1 where the `count` largest absolute values are, and leaves the other marks as they are.
 * @param among only those are chosen from where it is `open`; default the marks themselves, those that are 0
 */
export const markMagnitudes = (
  marks: Float32Array,
  values: Float32Array,
  count: number,
  among: Float32Array = marks,
  open: 0 | 1 = 0,
): void => markHighest(marks, values, count, ABSOLUTE, among, open);

/**
 * A radix selection by two halves of the numbers' bits: three passes over the scores, whatever they are, and no memory
 * but for the bins. Who is a candidate looks random, so that inner loops do arithmetic on bits rather than branch: a
 * processor guesses such branches wrong, which is slower than all the rest.
 */
function markHighest(
  marks: Float32Array,
  scores: Float32Array,
  count: number,
  order: number,
  among: Float32Array = marks,
  open: 0 | 1 = 0,
): void {
  const [words, marked, candidates] = [bitsOf(scores), bitsOf(marks), bitsOf(among)];
  /** Makes a candidate's bits those of 1, and the others' those of 0. */
  const flip = open === 1 ? 0 : ONE;
  const high = new Int32Array(1 << 16);
  for (let i = 0; i < words.length; i++)
    high[(keyOf(words[i]!, order) >> 16) + HALF]! += (candidates[i]! ^ flip) >> 29;
  const wanted = Math.min(
    count,
    high.reduce((sum, size) => sum + size, 0),
  );
  if (wanted <= 0) return;
  const [bin, inBin] = place(high, wanted);
  const top = bin - HALF;
  const low = new Int32Array(1 << 16);
  for (let i = 0; i < words.length; i++) {
    const key = keyOf(words[i]!, order);
    if (key >> 16 === top) low[key & 0xffff]! += (candidates[i]! ^ flip) >> 29;
  }
  const [bottom, inBottom] = place(low, inBin);
  const limit = (top << 16) | bottom;
  let ties = inBottom;
  for (let i = 0; i < words.length; i++) {
    const key = keyOf(words[i]!, order);
    const one = candidates[i]! ^ flip;
    if (key === limit && one !== 0 && ties-- > 0) marked[i] = ONE;
    marked[i]! |= -Number(key > limit) & one;
  }
}

/** The bits of the number 1, of which no other mark has any. */
const ONE = 0x3f800000;
const HALF = 1 << 15;

const bitsOf = ({ buffer, byteOffset, length }: Float32Array): Int32Array =>
  new Int32Array(buffer, byteOffset, length);

/** The bin in which the `wanted`-th falls, counted from the top, and how many are wanted of that bin. */
function place(bins: Int32Array, wanted: number): [bin: number, rest: number] {
  let rest = wanted;
  let bin = bins.length - 1;
  while (bins[bin]! < rest) rest -= bins[bin--]!;
  return [bin, rest];
}

/**
 * A whole number of 32 bits from the bits of a number, ordered as the numbers or their absolute values are. One function
 * for both, so that it is compiled into the loops.
 */
function keyOf(word: number, order: number): number {
  const size = word & 0x7fffffff;
  const negative = (word >> 31) & order;
  return size > 0x7f800000 ? -0x80000000 : (size ^ negative) - negative; // NaN is least, 0 and −0 are alike
}

/** Whether the sign counts: all its bits, or none. */
const SIGNED = -1;
const ABSOLUTE = 0;

/** The values where a mask is 1, and where they stand among all. */
export function gather(
  values: Float32Array,
  mask: Float32Array,
): { values: Float32Array; places: Int32Array } {
  const found = new Float32Array(values.length);
  const places = new Int32Array(values.length);
  const [from, to, marks] = [bitsOf(values), bitsOf(found), bitsOf(mask)];
  let length = 0;
  for (let i = 0; i < from.length; i++) {
    to[length] = from[i]!;
    places[length] = i;
    length += marks[i]! >> 29;
  }
  return { values: found.subarray(0, length), places: places.subarray(0, length) };
}

/** The mask that has 1 where one of two has. */
export function either(a: Float32Array, b: Float32Array): Float32Array {
  const mask = a.slice();
  const [marks, others] = [bitsOf(mask), bitsOf(b)];
  for (let i = 0; i < marks.length; i++) marks[i]! |= others[i]!;
  return mask;
}

/** `values` with 0, not −0, where a mask has 0. */
export function clearGaps(values: Float32Array, mask: Float32Array): Float32Array {
  const [words, marks] = [bitsOf(values), bitsOf(mask)];
  for (let i = 0; i < words.length; i++) words[i]! &= -(marks[i]! >> 29);
  return values;
}

/** Absolute values. */
export function magnitudes(values: Float32Array): Float32Array {
  const sizes = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) sizes[i] = Math.abs(values[i]!);
  return sizes;
}
