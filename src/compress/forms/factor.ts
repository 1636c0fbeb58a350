import type { WeightLayout } from '../../calibrate/sites.js';
import type { DType } from '../../graph/dtype.js';
import { Tensor, toFloat16 } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { fromMatrix, type WeightMatrix } from '../matrix.js';
import type { RewriteTarget } from '../method.js';
import {
  dequantizeRows,
  type IntegerFormat,
  type QuantizedMatrix,
  quantizeForStorage,
} from '../rounding/quantizer.js';
import { foldFloat16, foldIntegers } from './fold.js';

/** How a number of a weight or of a factor is stored. */
export type StorageFormat = 'float32' | 'float16' | IntegerFormat;

/** Bits of one number, scales left out. */
export const bitsOfFormat = (format: StorageFormat): number =>
  format === 'float32' ? 32 : format === 'float16' ? 16 : format.bits;

export function formatLabel(format: StorageFormat): string {
  if (typeof format === 'string') return format;
  return `int${format.bits}${format.block > 0 ? ` b${format.block}` : ''}`;
}

/**
 * A matrix factor in its storage format, one row per component of the factorization, so that each component has scales
 * of its own: what multiplies a component (its singular value) is then never rounded.
 */
export class StoredFactor {
  private readonly matrix: WeightMatrix;
  private readonly quantized: QuantizedMatrix | undefined;
  private readonly half: boolean;

  /** @param matrix (components, length) */
  constructor(matrix: WeightMatrix, format: StorageFormat) {
    this.matrix = matrix;
    this.half = format === 'float16';
    this.quantized = typeof format === 'string' ? undefined : quantizeForStorage(matrix, format);
  }

  /** What is left of the numbers, (components, length). */
  restored(): Float32Array {
    if (this.quantized) return dequantizeRows(this.quantized);
    return this.half ? this.matrix.data.map(toFloat16) : this.matrix.data;
  }

  /**
   * Writes it as a tensor of shape `dims`, of which `layout` says where the components are.
   * @returns the value that holds it at run time
   */
  write({ graph, opset }: RewriteTarget, dims: readonly number[], layout: WeightLayout, dtype: DType): Value {
    const target = { dims, dtype, layout, opset };
    if (this.quantized) return foldIntegers(graph, this.quantized, target);
    const data = fromMatrix(this.matrix.data, dims, layout);
    if (this.half) return foldFloat16(graph, data, target);
    return graph.constant(Tensor.fromNumbers(dtype, dims, data), 'f');
  }
}
