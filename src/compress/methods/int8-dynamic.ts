import { applyDynamic, fitsDynamic } from '../forms/dynamic.js';
import type { Method } from '../method.js';
import { dequantizeRows, type QuantizedMatrix, quantizeRows } from '../rounding/quantizer.js';
import { INT8 } from './quantize.js';

/**
 * Matrix products in integers: int8 weights with a scale for each output, activations rounded to uint8 at each run.
 * (Dettmers et al. and the "dynamic quantization" of PyTorch and ONNX Runtime.)
 */
export const int8Dynamic: Method = {
  name: 'int8-dynamic',
  *propose({ site, matrix }) {
    if (!fitsDynamic(site)) return;
    let cached: QuantizedMatrix | undefined;
    const quantized = () => (cached ??= quantizeRows(matrix, INT8));
    yield {
      method: 'int8-dynamic',
      label: 'int8 dynamic',
      form: 'dynamic',
      roundsActivations: true,
      weight: () => dequantizeRows(quantized()),
      apply: target => applyDynamic(target, quantized()),
    };
  },
};
