import { describe, expect, it } from 'vitest';
import { quantizeCandidate } from '../../../src/compress/methods/quantize.js';
import { quantizeBalanced } from '../../../src/compress/rounding/balance.js';
import { layersOf, modelOf, outputs, relativeError, withWeights, write } from './written.js';

const MODELS = {
  MatMul: (mean: number) =>
    modelOf([3, 96], (g, x, c) => g.op('MatMul', [x, c([96, 64], mean)]), { opset: 9 }),
  Conv: (mean: number) =>
    modelOf([1, 16, 5, 5], (g, x, c) => g.op('Conv', [x, c([32, 16, 3, 3], mean)]), { opset: 7 }),
};

const FORMATS = [
  { bits: 3, block: 0 },
  { bits: 4, block: 20 },
  { bits: 8, block: 0 },
  { bits: 8, block: 32 },
];

describe('balanced quantization as an expression of ordinary operators', () => {
  it.each(Object.entries(MODELS).flatMap(([name, make]) => [0, 4].map(mean => ({ name, make, mean }))))(
    'gives the weights that were promised: $name, mean $mean',
    async ({ make, mean }) => {
      const { model, samples } = make(mean);
      const [layer] = await layersOf(model, samples);
      for (const format of FORMATS) {
        const quantized = quantizeBalanced(layer!.matrix, format, layer!.feedback()![0]);
        expect(quantized.columns).toBeDefined();
        expect(quantized.offsets !== undefined).toBe(mean !== 0);
        const candidate = quantizeCandidate(layer!, format);
        const expected = await outputs(withWeights(model, [[layer!.site, candidate.weight()]]), samples);
        const actual = await outputs(write(model, [[layer!.site, candidate]]), samples);
        expect(relativeError(expected, actual)).toBeLessThan(1e-5);
        // And they are still near the layer's own.
        expect(relativeError(await outputs(model, samples), actual)).toBeLessThan(0.3);
      }
    },
  );
});
