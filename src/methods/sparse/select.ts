/**
 * Marks the `count` largest scores with 1, the others with 0. Of equal scores the first come first, so that the count
 * is exact and the choice the same everywhere. NaN counts as the least. Takes time linear in the length.
 * @param among only these are chosen from, where it is not 0
 */
export function largest(scores: Float32Array, count: number, among?: ArrayLike<number>): Float32Array {
  const chosen = new Float32Array(scores.length);
  const candidates = new Float32Array(scores.length);
  let length = 0;
  for (let i = 0; i < scores.length; i++) {
    if (among?.[i] !== 0) candidates[length++] = rank(scores[i]!);
  }
  const wanted = Math.min(count, length);
  if (wanted <= 0) return chosen;
  const limit = kthLargest(candidates.subarray(0, length), wanted);
  let above = 0;
  for (let i = 0; i < length; i++) if (candidates[i]! > limit) above++;
  let ties = wanted - above;
  for (let i = 0; i < scores.length; i++) {
    if (among && among[i] === 0) continue;
    const score = rank(scores[i]!);
    if (score > limit || (score === limit && ties-- > 0)) chosen[i] = 1;
  }
  return chosen;
}

const rank = (score: number): number => (Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score);

/** The k-th largest of the values, k from 1; reorders them. Hoare's quickselect with the median of three as pivot. */
export function kthLargest(values: Float32Array, k: number): number {
  let low = 0;
  let high = values.length - 1;
  const place = k - 1;
  while (low < high) {
    const pivot = median(values[low]!, values[(low + high) >> 1]!, values[high]!);
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! > pivot) i++;
      while (values[j]! < pivot) j--;
      if (i > j) break;
      const kept = values[i]!;
      values[i++] = values[j]!;
      values[j--] = kept;
    }
    if (place <= j) high = j;
    else if (place >= i) low = i;
    else break;
  }
  return values[place]!;
}

const median = (a: number, b: number, c: number): number =>
  Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));

/** Absolute values. */
export const magnitudes = (values: Float32Array): Float32Array => values.map(Math.abs);
