import { describe, expect, it } from 'vitest';
import { int8Dynamic } from '../../../src/compress/methods/int8-dynamic.js';
import { quantizeCandidate } from '../../../src/compress/methods/quantize.js';
import { distill } from '../../../src/compress/recover/distill.js';
import { recoverLayers } from '../../../src/compress/recover/layers.js';
import { Tensor } from '../../../src/graph/index.js';
import { Random } from '../../../src/random/random.js';
import { layersOf, modelOf, numbers, outputs, proposals, relativeError, write } from '../forms/written.js';

const perceptron = () => {
  const { model } = modelOf([12, 40], (g, x, c) => {
    const hidden = g.op('Relu', [g.op('Add', [g.op('MatMul', [x, c([40, 32])]), c([32])])]);
    return g.op('Add', [g.op('MatMul', [hidden, c([32, 8])]), c([8])]);
  });
  const random = new Random(5);
  const samples = Array.from({ length: 24 }, () => ({ x: Tensor.float32([12, 40], numbers(random, 480)) }));
  return { model, samples, heldOut: [{ x: Tensor.float32([12, 40], numbers(random, 480)) }] };
};

describe('recovery', () => {
  it('layer by layer lowers the errors and keeps the bytes', async () => {
    const { model, samples } = perceptron();
    const layers = await layersOf(model, samples);
    const choice = new Map(
      layers.map(layer => {
        const candidate = quantizeCandidate(layer, { bits: 3, block: 16 });
        return [layer.site, { candidate, bytes: 1, error: layer.error(candidate.weight()) }];
      }),
    );
    const after = await recoverLayers(model, { choice, price: 2, distortion: 0 }, samples, {
      threads: 1,
    });
    for (const [site, before] of choice) {
      const scored = after.choice.get(site)!;
      expect(scored.error).toBeLessThan(before.error);
      expect(scored.bytes).toBe(before.bytes);
    }
  });

  it('by distillation comes nearer to the original on inputs it never saw', async () => {
    const { model, samples, heldOut } = perceptron();
    const layers = await layersOf(model, []);
    const compressed = write(
      model,
      layers.map(layer => [layer.site, quantizeCandidate(layer, { bits: 3, block: 16 })]),
    );
    const epochs: number[] = [];
    const result = await distill(model, compressed, samples, {
      threads: 1,
      rate: 0.02,
      epochs: 6,
      onEpoch: epoch => epochs.push(epoch),
    });
    expect(result.after).toBeLessThan(0.9 * result.before);
    expect(epochs).toEqual(Array.from({ length: result.epochs }, (_, i) => i + 1));
    const expected = await outputs(model, heldOut);
    const before = relativeError(expected, await outputs(compressed, heldOut));
    expect(relativeError(expected, await outputs(result.model, heldOut))).toBeLessThan(before);
  });

  it('gives the model back where nothing gets better', async () => {
    const { model, samples } = perceptron();
    const result = await distill(model, model, samples, { threads: 1, epochs: 1 });
    expect(result.model).toBe(model);
    expect(result.before).toBe(0);
  });

  it('says what it cannot do', async () => {
    const { model, samples } = perceptron();
    await expect(distill(model, model, samples.slice(0, 3))).rejects.toThrow('at least 4 samples');
    const found = await proposals(model, samples, [int8Dynamic]);
    const written = write(
      model,
      found.map(({ layer, candidate }) => [layer.site, candidate]),
    );
    await expect(distill(model, written, samples)).rejects.toThrow(/gradient/);
  });
});
