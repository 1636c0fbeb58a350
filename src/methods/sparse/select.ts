/**
 * Marks the `count` largest scores with 1, the others with 0. Of equal scores the first come first, so that the count
 * is exact and the choice the same everywhere. NaN counts as the least. A radix selection by two halves of the
 * numbers' bits: four passes over the scores, whatever they are.
 * @param among only these are chosen from, where it is not 0
 */
export function largest(scores: Float32Array, count: number, among?: Float32Array): Float32Array {
  const chosen = new Float32Array(scores.length);
  const { keys, places } = sortKeys(scores, among);
  const wanted = Math.min(count, keys.length);
  if (wanted <= 0) return chosen;
  const high = new Uint32Array(1 << 16);
  for (let i = 0; i < keys.length; i++) high[keys[i]! >>> 16]!++;
  const [top, inTop] = place(high, wanted);
  const low = new Uint32Array(1 << 16);
  for (let i = 0; i < keys.length; i++) if (keys[i]! >>> 16 === top) low[keys[i]! & 0xffff]!++;
  const [bottom, inBottom] = place(low, inTop);
  const limit = top * 0x10000 + bottom;
  let ties = inBottom;
  for (let i = 0; i < keys.length; i++) {
    if (keys[i]! > limit || (keys[i]! === limit && ties-- > 0)) chosen[places ? places[i]! : i] = 1;
  }
  return chosen;
}

/** The bin in which the `wanted`-th falls, counted from the top, and how many are wanted of that bin. */
function place(bins: Uint32Array, wanted: number): [bin: number, rest: number] {
  let rest = wanted;
  let bin = bins.length - 1;
  while (bins[bin]! < rest) rest -= bins[bin--]!;
  return [bin, rest];
}

/** Whole numbers that are ordered as the scores of the candidates are, and where the candidates stand among all. */
function sortKeys(
  scores: Float32Array,
  among: Float32Array | undefined,
): { keys: Uint32Array; places: Uint32Array | undefined } {
  const bits = new Uint32Array(scores.buffer, scores.byteOffset, scores.length);
  const keys = new Uint32Array(scores.length);
  if (among === undefined) {
    for (let i = 0; i < keys.length; i++) keys[i] = sortKey(bits[i]!);
    return { keys, places: undefined };
  }
  const places = new Uint32Array(scores.length);
  let length = 0;
  for (let i = 0; i < bits.length; i++) {
    if (among[i] === 0) continue;
    places[length] = i;
    keys[length++] = sortKey(bits[i]!);
  }
  return { keys: keys.subarray(0, length), places };
}

function sortKey(word: number): number {
  const size = word & 0x7fffffff;
  if (size > 0x7f800000) return 1; // NaN
  if (size === 0) return 0x80000000; // 0 and −0 alike
  return word === size ? word | 0x80000000 : ~word;
}

/** Absolute values. */
export function magnitudes(values: Float32Array): Float32Array {
  const sizes = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) sizes[i] = Math.abs(values[i]!);
  return sizes;
}
