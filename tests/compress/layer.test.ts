import { describe, expect, it } from 'vitest';
import { observe } from '../../src/calibrate/observe.js';
import { findSites, type Site } from '../../src/calibrate/sites.js';
import { captureInputs } from '../../src/compress/capture.js';
import { Layer } from '../../src/compress/layer.js';
import { quantize, quantizeCandidate } from '../../src/compress/methods/quantize.js';
import { LayerProbe } from '../../src/compress/probe.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import { matmul, matrix } from '../../src/linalg/index.js';
import type { Tensors } from '../../src/runtime/index.js';
import { LAYER_NAMES, type OneLayer, oneLayer } from './one-layer.js';
import { smallInputs, smallModel } from './small-model.js';

async function firstLayer({ model, samples }: OneLayer): Promise<{ site: Site; layer: Layer }> {
  inferShapes(model);
  for await (const group of observe(model, findSites(model), samples, { threads: 1 })) {
    for (const [site, observation] of group) return { site, layer: new Layer(site, observation) };
  }
  throw new Error('the model has no sites');
}

const OBSERVED = LAYER_NAMES.filter(name => /^(MatMul|Gemm|Conv \d|Conv 1|a weight)/.test(name));

describe('Layer', () => {
  it.each(OBSERVED.filter(name => name !== 'MatMul of a batch of weights'))(
    'error is what a forward pass of the layer measures: %s',
    async name => {
      const made = oneLayer(name);
      const { site, layer } = await firstLayer(made);
      const runs = await captureInputs(made.model, [site], made.samples, { threads: 1 });
      const probe = new LayerProbe(site, made.model, runs.get(site)!, 1);
      for (const bits of [2, 4, 8]) {
        const candidate = quantizeCandidate(layer, { bits, block: 0 });
        const forward = await probe.error(candidate);
        expect(layer.error(candidate.weight())).toBeCloseTo(forward, 4);
        expect(forward).toBeGreaterThan(0);
      }
      expect(layer.error(layer.matrix.data)).toBe(0);
    },
  );

  it.each(LAYER_NAMES)('a rounding knows its error without another product with S: %s', async name => {
    const { layer } = await firstLayer(oneLayer(name));
    for (const format of [
      { bits: 3, block: 4 },
      { bits: 5, block: 0 },
      { bits: 8, block: 0 },
    ]) {
      const candidate = quantizeCandidate(layer, format);
      const expected = layer.error(candidate.weight());
      expect(candidate.error!() / expected).toBeCloseTo(1, 5);
    }
  });

  it('a rounding of balanced columns knows its error too', async () => {
    const samples: Tensors[] = [];
    for await (const sample of smallInputs(8).samples()) samples.push(sample);
    const model = smallModel();
    inferShapes(model);
    for await (const group of observe(model, findSites(model), samples, { threads: 1 })) {
      for (const [site, observation] of group) {
        const layer = new Layer(site, observation);
        for (const candidate of quantize.propose(layer)) {
          if (candidate.bits === 16) continue;
          expect(candidate.error!() / layer.error(candidate.weight())).toBeCloseTo(1, 5);
        }
      }
    }
  });

  it('weighs the rows of a table by how often they are used', async () => {
    const { layer } = await firstLayer(oneLayer('Gather'));
    const { data, rows, cols } = layer.matrix;
    const withoutRow = (row: number) => data.map((v, i) => (Math.floor(i / cols) === row ? 0 : v));
    const made = oneLayer('Gather').samples.flatMap(({ x }) => x!.toNumbers());
    const counts = Array.from({ length: rows }, (_, row) => made.filter(id => id === row).length);
    const [most, least] = [counts.indexOf(Math.max(...counts)), counts.indexOf(0)];
    expect(layer.error(withoutRow(most))).toBeGreaterThan(layer.error(withoutRow(least)));
    expect(layer.error(withoutRow(least))).toBeGreaterThan(0);
  });

  it.each(['MatMul x · W', 'Conv 2-D in groups'])(
    'whitening and feedback are factors of S: %s',
    async name => {
      const { layer } = await firstLayer(oneLayer(name));
      const moment = layer.moment!;
      for (let g = 0; g < moment.groups; g++) {
        const { width } = moment;
        const s = moment.second[g]!;
        const mean =
          Array.from({ length: width }, (_, i) => s[i * width + i]!).reduce((a, b) => a + b) / width;
        const l = layer.whitening(g)!;
        const again = matmul(l, l, { transposeB: true });
        for (let i = 0; i < width * width; i++) {
          expect(Math.abs(again.data[i]! - s[i]!)).toBeLessThan(1e-5 * mean);
        }
        // (S + damping) Uᵀ U = 1
        const u = layer.feedback()![g]!.data;
        const damped = Float64Array.from(s);
        for (let i = 0; i < width; i++) damped[i * width + i]! += 0.01 * mean;
        const inverse = matmul(matrix(u, width, width), matrix(u, width, width), { transposeA: true });
        const identity = matmul(matrix(damped, width, width), inverse);
        for (let i = 0; i < width; i++) {
          for (let j = 0; j < width; j++) {
            expect(Math.abs(identity.data[i * width + j]! - (i === j ? 1 : 0))).toBeLessThan(1e-8);
            if (j < i) expect(u[i * width + j]).toBe(0);
          }
        }
      }
    },
  );

  it('without calibration counts every input alike', () => {
    const site = findSites(oneLayer('MatMul x · W').model)[0]!;
    const layer = new Layer(site);
    const half = layer.matrix.data.map(v => v / 2);
    expect(layer.error(half)).toBeCloseTo(0.5, 6);
    expect(layer.feedback()).toBeUndefined();
  });
});

describe('layers at rest', () => {
  it('read again what they need, and keep it until another is asked', () => {
    const reads = [0, 0];
    const [site] = findSites(smallModel());
    const layers = reads.map((_, i) => {
      const layer = new Layer(site!, () => {
        reads[i]!++;
        return {};
      });
      layer.rest();
      return layer;
    });
    const [a, b] = layers as [Layer, Layer];
    const once = a.observation;
    expect(a.observation).toBe(once);
    expect(a.matrix).toBe(a.matrix);
    expect(reads).toEqual([1, 0]);
    const weight = a.matrix;
    b.observation;
    // In the same turn of the event loop: what is only weakly held would still be there.
    expect(a.observation).not.toBe(once);
    expect(a.matrix).not.toBe(weight);
    expect(reads).toEqual([2, 1]);
  });

  it('let go when the event loop turns', async () => {
    let reads = 0;
    const layer = new Layer(findSites(smallModel())[0]!, () => {
      reads++;
      return {};
    });
    layer.rest();
    layer.observation;
    await new Promise(resolve => setTimeout(resolve, 5));
    layer.observation;
    expect(reads).toBe(2);
  });
});
