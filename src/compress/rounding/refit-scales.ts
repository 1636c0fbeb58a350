import { cholesky, matmul, matrix, solveTriangular } from '../../linalg/index.js';
import type { Layer } from '../layer.js';
import { scalesOf } from './balance.js';
import { dequantizeRows, type QuantizedMatrix, roundedToHalf, storedExponent } from './quantizer.js';

/**
 * The scales of a quantized weight by least squares on the layer's outputs, the integers fixed. With z_b = scale_b · q_b
 * the b-th block of a row, the best factors a solve (z_b S z_cᵀ) a = (z_b S wᵀ): one small system for each row.
 * @returns the same integers with other scales; the given ones where calibration saw nothing
 */
export function refitScales(layer: Layer, quantized: QuantizedMatrix): QuantizedMatrix {
  const { moment, groups } = layer;
  if (!moment) return quantized;
  const { rows, cols, paddedCols, nested } = quantized;
  // Of scales that are codes, the units of the rows can change.
  const block = nested ? paddedCols : quantized.block;
  const blocks = paddedCols / block;
  const scales = Float32Array.from(nested ? nested.units : quantized.scales);
  const exponent = storedExponent(scales);
  const round = (scale: number) =>
    exponent === undefined ? Math.fround(scale) : roundedToHalf(scale, exponent);
  // What the old scales cost says nothing of the new ones.
  const { losses: _, ...fitted } = quantized;
  const { offsets, ...symmetric } = fitted;
  const restored = dequantizeRows(symmetric);
  // What the offsets add is fixed: the scales are fitted to the rest.
  const added = offsets && dequantizeRows(quantized).map((w, i) => w - restored[i]!);
  const wanted = added ? layer.matrix.data.map((w, i) => w - added[i]!) : layer.matrix.data;
  const groupRows = rows / groups;
  for (let g = 0; g < groups; g++) {
    const s = moment.second[g]!;
    const part = wanted.subarray(g * groupRows * cols, (g + 1) * groupRows * cols);
    const weighted = matmul(matrix(part, groupRows, cols), matrix(s, cols, cols)); // W S
    for (let r = 0; r < groupRows; r++) {
      const row = g * groupRows + r;
      const z = restored.subarray(row * cols, (row + 1) * cols);
      const { gramian, target } = systemOf(z, weighted.data.subarray(r * cols, (r + 1) * cols), s, block);
      const factors = solve(gramian, target, blocks);
      for (let b = 0; b < blocks; b++) {
        const scale = round(scales[row * blocks + b]! * factors[b]!);
        if (scale !== 0 && Number.isFinite(scale)) scales[row * blocks + b] = scale;
      }
    }
  }
  // Where float16 held the old scales and cannot hold the new ones, the file would grow.
  if (exponent !== undefined && storedExponent(scales) === undefined) return quantized;
  if (!nested) return { ...fitted, scales };
  return { ...fitted, scales: scalesOf(scales, nested.codes), nested: { ...nested, units: scales } };
}

/** z_b S z_cᵀ and z_b S wᵀ of one row; each block is zero but for its own columns. */
function systemOf(z: Float32Array, weighted: Float64Array, s: Float64Array, block: number) {
  const cols = z.length;
  const blocks = Math.ceil(cols / block);
  const gramian = new Float64Array(blocks * blocks);
  const target = new Float64Array(blocks);
  const product = new Float64Array(cols); // z_b S
  for (let b = 0; b < blocks; b++) {
    product.fill(0);
    for (let c = b * block; c < Math.min(cols, (b + 1) * block); c++) {
      const value = z[c]!;
      target[b]! += value * weighted[c]!;
      if (value === 0) continue;
      // The matrix is symmetric: columns from this block on are enough.
      for (let j = b * block; j < cols; j++) product[j]! += value * s[c * cols + j]!;
    }
    for (let j = b * block; j < cols; j++)
      gramian[b * blocks + Math.floor(j / block)]! += product[j]! * z[j]!;
    for (let c = b + 1; c < blocks; c++) gramian[c * blocks + b] = gramian[b * blocks + c]!;
  }
  return { gramian, target };
}

/** Keeps factors near 1 where the inputs say little about a block. */
const RIDGE = 1e-3;

/** (G + ridge) a = t + ridge: the ridge pulls the factors to 1. */
function solve(gramian: Float64Array, target: Float64Array, size: number): Float64Array {
  const g = Float64Array.from(gramian);
  const t = Float64Array.from(target);
  let trace = 0;
  for (let i = 0; i < size; i++) trace += g[i * size + i]!;
  const ridge = (RIDGE * trace) / size || 1;
  for (let i = 0; i < size; i++) {
    g[i * size + i]! += ridge;
    t[i]! += ridge;
  }
  const l = cholesky(matrix(g, size, size)).l;
  return solveTriangular(l, solveTriangular(l, matrix(t, size, 1)), { transpose: true }).data;
}
