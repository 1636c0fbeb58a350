import { ImageArray } from 'whittle-nn/datasets';
import { Random } from 'whittle-nn/random';

/** Segments of a seven-segment digit as lines between points of a 2 × 3 grid, in units of a digit's width. */
const SEGMENTS: Readonly<Record<string, readonly [number, number, number, number]>> = {
  top: [0, 0, 1, 0],
  middle: [0, 1, 1, 1],
  bottom: [0, 2, 1, 2],
  upperLeft: [0, 0, 0, 1],
  upperRight: [1, 0, 1, 1],
  lowerLeft: [0, 1, 0, 2],
  lowerRight: [1, 1, 1, 2],
};

const DIGITS = [
  ['top', 'bottom', 'upperLeft', 'upperRight', 'lowerLeft', 'lowerRight'],
  ['upperRight', 'lowerRight'],
  ['top', 'upperRight', 'middle', 'lowerLeft', 'bottom'],
  ['top', 'upperRight', 'middle', 'lowerRight', 'bottom'],
  ['upperLeft', 'middle', 'upperRight', 'lowerRight'],
  ['top', 'upperLeft', 'middle', 'lowerRight', 'bottom'],
  ['top', 'upperLeft', 'middle', 'lowerLeft', 'lowerRight', 'bottom'],
  ['top', 'upperRight', 'lowerRight'],
  ['top', 'middle', 'bottom', 'upperLeft', 'upperRight', 'lowerLeft', 'lowerRight'],
  ['top', 'middle', 'bottom', 'upperLeft', 'upperRight', 'lowerRight'],
];

const SIZE = 28;

/**
 * Digits of MNIST's size, drawn with strokes of varying place, size, slant and thickness, and noise: data that every
 * page and every test has. The same seed gives the same bytes everywhere.
 */
export function drawDigits(count: number, seed: number): ImageArray {
  const random = new Random(seed);
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  const pixels = new Uint8Array(count * SIZE * SIZE);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const digit = Math.floor(between(0, 10));
    labels[i] = digit;
    const [width, slant, thickness] = [between(5, 9), between(-0.35, 0.35), between(0.7, 1.8)];
    const [left, top] = [between(5, 23 - width), between(3, 25 - 2 * width)];
    const lines = DIGITS[digit]!.map(name => {
      const [x1, y1, x2, y2] = SEGMENTS[name]!.map(v => v * width) as [number, number, number, number];
      const shift = (y: number): number => slant * (width - y);
      return [left + x1 + shift(y1), top + y1, left + x2 + shift(y2), top + y2] as const;
    });
    for (let y = 0; y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) {
        const distance = Math.min(...lines.map(line => distanceTo(line, x, y)));
        const ink = Math.min(1, Math.max(0, thickness + 0.5 - distance));
        pixels[(i * SIZE + y) * SIZE + x] = Math.min(255, Math.floor(200 * ink + between(0, 55)));
      }
    }
  }
  return new ImageArray({
    pixels,
    labels,
    shape: [1, SIZE, SIZE],
    normalization: { mean: [0.25], std: [0.3] },
    classes: DIGITS.map((_, digit) => String(digit)),
  });
}

/** Distance of a point from the line between two others. */
function distanceTo(
  [x1, y1, x2, y2]: readonly [number, number, number, number],
  x: number,
  y: number,
): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy);
  const t = Math.min(1, Math.max(0, along));
  return Math.sqrt((x - x1 - t * dx) ** 2 + (y - y1 - t * dy) ** 2);
}
