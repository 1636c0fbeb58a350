/**
 * The least of the whole numbers 0 … count − 1 that passes a test, by bisection: what passes at one number is taken to pass
 * at all larger ones. Where it does not, a number that passes is still found, though perhaps not the least.
 * @returns undefined where not even the largest passes
 */
export async function leastPassing(
  count: number,
  passes: (at: number) => boolean | Promise<boolean>,
): Promise<number | undefined> {
  let [from, to] = [0, count];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (await passes(middle)) to = middle;
    else from = middle + 1;
  }
  return from < count ? from : undefined;
}
