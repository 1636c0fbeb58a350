/** Left, top, right, bottom, in pixels. */
export type Box = readonly [number, number, number, number];

/** One byte a pixel, 1 where there is text; row-major. */
export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Intersection and union of two masks of one size, in pixels. */
export function overlap(a: Mask, b: Mask): { intersection: number; union: number } {
  let [intersection, union] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    intersection += a.data[i]! & b.data[i]!;
    union += a.data[i]! | b.data[i]!;
  }
  return { intersection, union };
}

const area = ([left, top, right, bottom]: Box): number =>
  Math.max(0, right - left) * Math.max(0, bottom - top);

/** Intersection over union of two boxes. */
export function boxIou(a: Box, b: Box): number {
  const shared = area([
    Math.max(a[0], b[0]),
    Math.max(a[1], b[1]),
    Math.min(a[2], b[2]),
    Math.min(a[3], b[3]),
  ]);
  return shared / (area(a) + area(b) - shared || 1);
}

/**
 * The boxes of the connected regions (4 neighbours) of a mask, grown as DB's post-processing grows them: the
 * model draws text shrunk, by a distance of area · ratio / perimeter. Regions under 3 pixels high are dropped.
 * @see https://arxiv.org/abs/1911.08947
 */
export function textBoxes({ width, height, data }: Mask, ratio = 1.5): Box[] {
  const seen = new Uint8Array(data.length);
  const boxes: Box[] = [];
  for (let start = 0; start < data.length; start++) {
    if (!data[start] || seen[start]) continue;
    const stack = [start];
    seen[start] = 1;
    let [left, top, right, bottom] = [width, height, 0, 0];
    while (stack.length > 0) {
      const pixel = stack.pop()!;
      const x = pixel % width;
      const y = (pixel - x) / width;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
      const neighbours = [x > 0 && pixel - 1, x < width - 1 && pixel + 1, pixel - width, pixel + width];
      for (const next of neighbours) {
        if (next === false || !data[next] || seen[next]) continue;
        seen[next] = 1;
        stack.push(next);
      }
    }
    if (bottom - top < 3) continue;
    const grow = (area([left, top, right, bottom]) * ratio) / (2 * (right - left + bottom - top));
    boxes.push([left - grow, top - grow, right + grow, bottom + grow]);
  }
  return boxes;
}

/** How many of the found boxes match a true one with an IoU of at least `threshold`, each true one at most once. */
export function countMatches(found: readonly Box[], truth: readonly Box[], threshold = 0.5): number {
  const pairs = found
    .flatMap((box, f) => truth.map((other, t) => ({ f, t, iou: boxIou(box, other) })))
    .filter(pair => pair.iou >= threshold)
    .sort((a, b) => b.iou - a.iou);
  const [usedFound, usedTruth] = [new Set<number>(), new Set<number>()];
  for (const { f, t } of pairs) {
    if (usedFound.has(f) || usedTruth.has(t)) continue;
    usedFound.add(f);
    usedTruth.add(t);
  }
  return usedFound.size;
}
