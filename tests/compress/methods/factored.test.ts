import { describe, expect, it } from 'vitest';
import { quantizeCandidate } from '../../../src/compress/methods/quantize.js';
import { residual } from '../../../src/compress/methods/residual.js';
import { spatial } from '../../../src/compress/methods/spatial.js';
import { dequantizeRows, quantizeForStorage } from '../../../src/compress/rounding/quantizer.js';
import { refitScales } from '../../../src/compress/rounding/refit-scales.js';
import {
  layersOf,
  modelOf,
  outputs,
  proposals,
  relativeError,
  withWeights,
  write,
} from '../forms/written.js';

const convolution = (attributes: Record<string, number[] | string>, kernel: [number, number] = [3, 3]) =>
  modelOf([2, 12, 11, 10], (g, x, c) => g.op('Conv', [x, c([16, 12, ...kernel]), c([16])], attributes));

describe('spatial', () => {
  it.each<Record<string, number[] | string>>([
    { strides: [2, 1], pads: [1, 0, 1, 2] },
    { dilations: [1, 2], pads: [1, 2, 1, 2] },
    { auto_pad: 'SAME_UPPER', strides: [1, 2] },
  ])('writes what it promises: %j', async attributes => {
    for (const kernel of [
      [3, 3],
      [2, 4],
    ] as const) {
      const { model, samples } = convolution(attributes, [...kernel]);
      const found = await proposals(model, samples, [spatial]);
      expect(found.length).toBeGreaterThan(1);
      for (const { layer, candidate } of found) {
        const promised = await outputs(withWeights(model, [[layer.site, candidate.weight()]]), samples);
        const written = await outputs(write(model, [[layer.site, candidate]]), samples);
        expect(relativeError(promised, written)).toBeLessThan(1e-5);
      }
    }
  });

  it('errs less with its second factor fitted to the inputs, and less with a higher rank', async () => {
    const { model, samples } = convolution({ pads: [1, 1, 1, 1] });
    const [layer] = await layersOf(model, samples);
    const blind = await layersOf(model, []);
    const fitted = [...spatial.propose(layer!)];
    const plain = [...spatial.propose(blind[0]!)];
    const errors = fitted.map(candidate => layer!.error(candidate.weight()));
    for (const [i, candidate] of plain.entries()) {
      expect(errors[i]!).toBeLessThan(layer!.error(candidate.weight()));
    }
    for (let i = 1; i < errors.length; i++) expect(errors[i]!).toBeLessThan(errors[i - 1]!);
  });

  it('leaves grouped, pointwise and one-dimensional convolutions alone', async () => {
    for (const { model, samples } of [
      modelOf([2, 12, 8, 8], (g, x, c) => g.op('Conv', [x, c([12, 6, 3, 3])], { group: 2 })),
      modelOf([2, 12, 8, 8], (g, x, c) => g.op('Conv', [x, c([12, 12, 1, 1])])),
      modelOf([2, 12, 8], (g, x, c) => g.op('Conv', [x, c([12, 12, 3])])),
    ]) {
      expect(await proposals(model, samples, [spatial])).toEqual([]);
    }
  });
});

describe('residual', () => {
  const layers = [
    modelOf([2, 30, 48], (g, x, c) => g.op('MatMul', [x, c([48, 40])])),
    modelOf([30, 48], (g, x, c) => g.op('Gemm', [x, c([40, 48])], { transB: 1 })),
    convolution({ pads: [1, 1, 1, 1] }),
  ];

  it('writes what it promises', async () => {
    for (const { model, samples } of layers) {
      const found = await proposals(model, samples, [residual]);
      expect(found).toHaveLength(9);
      for (const { layer, candidate } of found) {
        const promised = await outputs(withWeights(model, [[layer.site, candidate.weight()]]), samples);
        const written = await outputs(write(model, [[layer.site, candidate]]), samples);
        expect(relativeError(promised, written), candidate.label).toBeLessThan(1e-5);
      }
    }
  });

  it('errs less than the quantization that it corrects, and less with a higher rank', async () => {
    for (const { model, samples } of layers) {
      const [layer] = await layersOf(model, samples);
      const errors = [...residual.propose(layer!)].map(candidate => layer!.error(candidate.weight()));
      const alone = [2, 3, 4].map((bits, i) => {
        const block = [32, 64, 128][i]!;
        return layer!.error(quantizeCandidate(layer!, { bits, block }).weight());
      });
      for (const [i, error] of alone.entries()) {
        const [two, four, eight] = errors.slice(3 * i, 3 * i + 3);
        expect(two!).toBeLessThan(error);
        expect(four!).toBeLessThan(two!);
        expect(eight!).toBeLessThan(four!);
      }
    }
  });
});

describe('refitScales', () => {
  it('never errs more, and restores scales that were off', async () => {
    for (const { model, samples } of [
      modelOf([2, 90, 48], (g, x, c) => g.op('MatMul', [x, c([48, 40])])),
      modelOf([2, 8, 9, 8], (g, x, c) => g.op('Conv', [x, c([16, 4, 3, 3])], { group: 2 })),
    ]) {
      const [layer] = await layersOf(model, samples);
      for (const bits of [3, 4, 8]) {
        const quantized = quantizeForStorage(layer!.matrix, { bits, block: bits === 8 ? 0 : 16 });
        const before = layer!.error(dequantizeRows(quantized));
        const off = { ...quantized, scales: quantized.scales.map((s, i) => s * (1 + 0.1 * (i % 3))) };
        const after = layer!.error(dequantizeRows(refitScales(layer!, quantized)));
        expect(after).toBeLessThan(before * 1.001);
        const restored = layer!.error(dequantizeRows(refitScales(layer!, off)));
        expect(restored).toBeLessThan(layer!.error(dequantizeRows(off)));
        expect(restored).toBeLessThan(after * 1.02);
      }
    }
  });
});
