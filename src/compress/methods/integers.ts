import { formatLabel } from '../forms/factor.js';
import { applyIntegers, fitsIntegers } from '../forms/integers.js';
import { isPlainProduct } from '../forms/linear.js';
import type { Layer } from '../layer.js';
import type { Candidate, Method } from '../method.js';
import { dequantizeRows, type IntegerFormat, type QuantizedMatrix } from '../rounding/quantizer.js';
import { INT8, quantizeLayer } from './quantize.js';

/** Fewest bits first. */
const FORMATS: readonly IntegerFormat[] = [
  { bits: 2, block: 16 },
  { bits: 4, block: 128 },
  { bits: 4, block: 32 },
  { bits: 8, block: 128 },
  { bits: 8, block: 32 },
  INT8,
];

/**
 * Quantization for little memory: the same rounding as `quantize`, in formats that ONNX Runtime keeps as integers while
 * the model runs.
 */
export const integers: Method = {
  name: 'integers',
  *propose(layer) {
    for (const format of FORMATS) {
      if (fitsIntegers(layer.site, format.bits, format.block)) yield integersCandidate(layer, format);
    }
  },
};

function integersCandidate(layer: Layer, format: IntegerFormat): Candidate {
  let cached: QuantizedMatrix | undefined;
  const quantized = () => (cached ??= quantizeLayer(layer, format));
  return {
    method: 'integers',
    label: formatLabel(format),
    form: 'integers',
    // MatMulNBits at accuracy level 4 multiplies integers.
    roundsActivations: format.block > 0 && isPlainProduct(layer.site),
    weight: () => dequantizeRows(quantized()),
    apply: target => applyIntegers(target, layer.site, quantized()),
  };
}
