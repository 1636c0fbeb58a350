import { toFloat16 } from '../../graph/tensor.js';
import { foldFloat16, foldIntegers, storesScalesAsHalf } from '../forms/fold.js';
import { fromMatrix, toMatrix, type WeightMatrix } from '../matrix.js';
import type { Candidate, Method, RewriteTarget } from '../method.js';
import { type IntegerFormat, type QuantizedMatrix, quantizeRows } from '../quantizer.js';
import type { Site } from '../sites.js';

/** How a number of a weight or of a factor is stored. */
export type StorageFormat = 'float32' | 'float16' | IntegerFormat;

export const INT8: IntegerFormat = { bits: 8, block: 0 };
export const INT4: IntegerFormat = { bits: 4, block: 32 };

export function formatLabel(format: StorageFormat): string {
  if (typeof format === 'string') return format;
  return `int${format.bits}${format.block > 0 ? ` b${format.block}` : ''}`;
}

/**
 * Round-to-nearest quantization of the weight alone, the activations stay as they are: float16, int8 with a scale
 * per output, int4 with a scale per block of 32.
 */
export const quantize: Method = {
  name: 'quantize',
  async *propose(site, probe, _settings, best) {
    const matrix = toMatrix(site.tensor, site.layout);
    for (const format of [INT4, INT8, 'float16'] as const) {
      // A format with more bits than the best so far cannot be smaller than it.
      const bits = format === 'float16' ? 16 : format.bits;
      if ((site.tensor.size * bits) / 8 >= best()) continue;
      const candidate = quantizeCandidate(site, matrix, format);
      if (candidate) yield { candidate, ...(await probe.measure(candidate)) };
    }
  },
};

/** The weight in one format; `undefined` where the format cannot hold it. */
export function quantizeCandidate(
  site: Site,
  matrix: WeightMatrix,
  format: Exclude<StorageFormat, 'float32'>,
): Candidate | undefined {
  const { tensor, layout } = site;
  const target = { dims: tensor.dims, dtype: tensor.dtype, layout };
  const label = formatLabel(format);
  if (format === 'float16') {
    if (tensor.dtype === 'float16' || tensor.dtype === 'bfloat16') return undefined;
    if (matrix.data.some(v => Math.abs(v) > 65504)) return undefined;
    const data = fromMatrix(matrix.data, tensor.dims, layout);
    return {
      method: 'quantize',
      label,
      apply: t => replaceWeight(t, foldFloat16(t.graph, data, { ...target, opset: t.opset })),
    };
  }
  const quantized = quantizeForStorage(matrix, format);
  return {
    method: 'quantize',
    label,
    apply: t => replaceWeight(t, foldIntegers(t.graph, quantized, { ...target, opset: t.opset })),
  };
}

/** Rounds with the scales as they will be stored: float16 where it holds them all, else float32. */
export function quantizeForStorage(matrix: WeightMatrix, format: IntegerFormat): QuantizedMatrix {
  const rounded = quantizeRows(matrix, format, toFloat16);
  return storesScalesAsHalf(rounded.scales) ? rounded : quantizeRows(matrix, format);
}

function replaceWeight(target: RewriteTarget, weight: RewriteTarget['value']): void {
  target.graph.replaceUses(target.value, weight);
}
