import { sizeOf } from '../graph/tensor.js';
import type { Random } from '../random/random.js';

/** Channels of photographs are alike: most of the variance is common to them. */
const COMMON = Math.sqrt(0.72);
const OWN = Math.sqrt(0.28);

/**
 * Noise with the large shapes of natural images, whose power falls with frequency, in place of white noise, which
 * drives a convolution's activations to where no photograph does: coarse grids of random values, each half as
 * strong as the one twice as coarse, interpolated and added. Mean 0,
 * standard deviation 1 (about).
 * @param axes the two axes of `dims` that are height and width
 */
export function smoothNoise(
  dims: readonly number[],
  [yAxis, xAxis]: readonly [number, number],
  random: Random,
): Float32Array {
  const height = dims[yAxis]!;
  const width = dims[xAxis]!;
  const strides = dims.map((_, axis) => sizeOf(dims.slice(axis + 1)));
  const planeAxes = dims.map((_, axis) => axis).filter(axis => axis !== yAxis && axis !== xAxis);
  const planes = sizeOf(planeAxes.map(axis => dims[axis]!));
  const values = new Float32Array(sizeOf(dims));
  const common = plane(height, width, random);
  for (let p = 0; p < planes; p++) {
    const own = plane(height, width, random);
    let rest = p;
    let offset = 0;
    for (const axis of [...planeAxes].reverse()) {
      offset += (rest % dims[axis]!) * strides[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        values[offset + y * strides[yAxis]! + x * strides[xAxis]!] =
          COMMON * common[y * width + x]! + OWN * own[y * width + x]!;
      }
    }
  }
  return values;
}

/** One channel of mean 0 and standard deviation 1. */
function plane(height: number, width: number, random: Random): Float32Array {
  const values = new Float32Array(height * width);
  for (let cell = Math.max(height, width) / 2, strength = 1; cell >= 1; cell /= 2, strength /= 2) {
    const columns = Math.ceil(width / cell) + 1;
    const rows = Math.ceil(height / cell) + 1;
    const grid = Float32Array.from({ length: rows * columns }, () => strength * random.normal());
    for (let y = 0; y < height; y++) {
      const row = Math.floor(y / cell);
      const down = y / cell - row;
      for (let x = 0; x < width; x++) {
        const column = Math.floor(x / cell);
        const right = x / cell - column;
        const at = row * columns + column;
        const top = grid[at]! * (1 - right) + grid[at + 1]! * right;
        const bottom = grid[at + columns]! * (1 - right) + grid[at + columns + 1]! * right;
        values[y * width + x]! += top * (1 - down) + bottom * down;
      }
    }
  }
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  const scale = variance > 0 ? 1 / Math.sqrt(variance) : 0;
  return values.map(v => (v - mean) * scale);
}
