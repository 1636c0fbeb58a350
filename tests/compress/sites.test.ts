import { describe, expect, it } from 'vitest';
import { findSites, operatorOf, unseenLayers } from '../../src/calibrate/sites.js';
import { compress } from '../../src/compress/compress.js';
import { isFactorizable } from '../../src/compress/forms/factored.js';
import { indexedSource } from '../../src/data/sample.js';
import { Graph, Tensor, tensorType } from '../../src/graph/index.js';
import { pairColumns } from '../../src/graph/rewrite/index.js';
import { modelByteLength } from '../../src/onnx/index.js';
import { modelOf, outputs, relativeError } from './forms/written.js';

/** A layer whose weight is a product of two constants, (32, 64) · (64, 32), and an ordinary one. */
const product = () =>
  modelOf([6, 32], (g, x, c) => {
    const weight = g.op('MatMul', [c([32, 64]), c([64, 32])]);
    return g.op('MatMul', [g.op('Tanh', [g.op('MatMul', [x, weight])]), c([32, 32])]);
  });

describe('weights that multiply one another', () => {
  it('are stored smaller, and not factorized', () => {
    const sites = findSites(product().model);
    expect(sites.map(({ mixed }) => mixed)).toEqual([true, true, false]);
    expect(sites.map(isFactorizable)).toEqual([false, false, true]);
  });

  it('compress to a budget', async () => {
    const { model, samples } = product();
    const inputs = indexedSource({ description: 'numbers' }, samples.length, async i => ({ ...samples[i]! }));
    const result = await compress(model, { maxSize: '40%', inputs, timing: false });
    expect(modelByteLength(result.model)).toBeLessThanOrEqual(0.4 * modelByteLength(model));
    expect(relativeError(await outputs(model, samples), await outputs(result.model, samples))).toBeLessThan(
      0.2,
    );
  });
});

describe('filters laid out for columns in pairs', () => {
  it('are layers, and the tables that do so are none', () => {
    const { model } = modelOf([1, 3, 8, 32], (g, x, c) => {
      const form = { kernel_shape: [7, 7], pads: [3, 3, 3, 3] };
      const narrow = g.op('Conv', [g.op('Conv', [x, c([4, 3, 7, 7])], form), c([4, 4, 7, 7])], form);
      return g.op('Conv', [narrow, c([10, 4, 7, 7])], { ...form, strides: [2, 2] });
    });
    const plain = findSites(model).map(({ value }) => value.name);
    expect(pairColumns(model)).toBe(1);
    const paired = findSites(model);
    expect(paired.map(({ value }) => value.name)).toEqual(plain);
    expect(paired.map(operatorOf)).toEqual(plain.map(() => 'Conv, columns in pairs'));
    // The largest table is no smaller than a layer can be.
    const tables = paired.map(({ uses }) => Graph.constantOf(uses[0]!.node.inputs[1])!.size);
    expect(Math.max(...tables)).toBeGreaterThanOrEqual(64);
  });
});

describe('weights in branches', () => {
  it('are said to be compressed unseen', async () => {
    const { model, samples } = modelOf([6, 32], (g, x, c) => {
      const branch = (name: string) => {
        const inner = new Graph(name);
        const y = inner.op('MatMul', [
          x,
          inner.constant(c([32, 32]).initializer as Tensor, `${name}.weight`),
        ]);
        y.type = tensorType('float32', [6, 32]);
        inner.addOutput(y);
        return inner;
      };
      const flag = g.op('Greater', [
        g.op('ReduceMax', [x], { keepdims: 0 }),
        g.constant(Tensor.float32([], [0]), 'zero'),
      ]);
      const chosen = g.op('If', [flag], { then_branch: branch('then'), else_branch: branch('else') });
      return g.op('MatMul', [chosen, c([32, 32])]);
    });
    const inputs = indexedSource({ description: 'numbers' }, samples.length, async i => ({ ...samples[i]! }));
    const { report } = await compress(model, { maxSize: '60%', inputs, timing: false });
    expect(report.warnings.join('\n')).toMatch(/2 of 3 layers lie in subgraphs/);
    expect(unseenLayers(findSites(product().model))).toEqual([]);
  });
});
