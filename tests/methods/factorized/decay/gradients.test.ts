import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gradients, typedBuilder } from '../../../../src/graph/autodiff/index.js';
import { Graph, Model, Tensor, tensorType, type Value } from '../../../../src/graph/index.js';
import { productGradients } from '../../../../src/methods/factorized/decay/frobenius.js';
import { matrixProduct } from '../../../../src/methods/factorized/decay/matrix-factor.js';
import { tensorGradients } from '../../../../src/methods/factorized/decay/tensor-factors.js';
import type { FactorizedLayer } from '../../../../src/nn/index.js';
import { run } from '../../../nn/run.js';
import { noise } from './noise.js';

/** Factors of a made-up layer, their product by one Einsum, and their shapes. */
const SHAPES = {
  linear: (m: number, r: number, n: number) => [[m, r], [r, n], 'or,ri->oi'] as const,
  spatial: (m: number, r: number, n: number) => [[m, r, 3, 1], [r, n, 1, 2], 'orhx,riyw->oihw'] as const,
  channel: (m: number, r: number, n: number) => [[m, r, 1, 1], [r, n, 2, 3], 'orxy,rihw->oihw'] as const,
};

describe('the gradient of Frobenius decay', () => {
  const sizes = fc.tuple(...[5, 4, 6].map(max => fc.integer({ min: 1, max }))) as fc.Arbitrary<
    [number, number, number]
  >;

  it.each(['linear', 'spatial', 'channel', 'three factors'] as const)(
    'is that of ½‖UVᵀ‖², by autodiff in float64: %s',
    async form => {
      await fc.assert(
        fc.asyncProperty(sizes, fc.integer({ max: 99, min: 0 }), async ([m, r, n], seed) => {
          const graph = new Graph('decay');
          const model = new Model(graph);
          model.opsets.set('', 21);
          const b = typedBuilder(model);
          const [uDims, vDims, equation] = SHAPES[form === 'three factors' ? 'linear' : form](m, r, n);
          const inputs: Record<string, Tensor> = {};
          const input = (name: string, dims: readonly number[]): Value => {
            const size = dims.reduce((a, c) => a * c, 1);
            inputs[name] = Tensor.fromNumbers('float64', dims, noise(size, seed + name.charCodeAt(0)));
            return graph.addInput(name, tensorType('float64', dims));
          };
          const u = input('u', uDims);
          const v = input('v', vDims);
          const middle = form === 'three factors' ? input('m', [r, r]) : undefined;
          const values = new Map([['u', u], ['v', v], ...(middle ? [['m', middle] as const] : [])]);
          const layer = { factors: middle ? ['u', 'm', 'v'] : ['u', 'v'] } as unknown as FactorizedLayer;
          const product = b.op('Einsum', [middle ? b.matmul(u, middle) : u, v], { equation });
          const loss = b.mul(
            b.sum(
              b.square(product),
              product.shape!.map((_, i) => i),
            ),
            0.5 * 0.7,
          );
          const expected = gradients(model, loss, [...values.values()]);
          const lambda = graph.constant(Tensor.fromNumbers('float64', [], [0.7]));
          const ours = productGradients(
            b,
            matrixProduct(b, layer, name => values.get(name)!),
            lambda,
          );
          [...values.keys()].forEach((name, i) => {
            graph.addOutput(b.op('Identity', [expected[i]!]), `expected ${name}`);
            graph.addOutput(b.op('Identity', [ours.get(name)!]), `ours ${name}`);
          });
          const found = await run(model, inputs);
          for (const name of values.keys()) {
            const [a, c] = [found[`ours ${name}`]!, found[`expected ${name}`]!];
            expect(a.dims).toEqual(c.dims);
            const want = c.toFloat64();
            a.toFloat64().forEach((value, i) => {
              expect(Math.abs(value - want[i]!)).toBeLessThan(1e-12 * (1 + Math.abs(want[i]!)));
            });
          }
        }),
        { numRuns: 8 },
      );
    },
  );
});

describe('the gradient of Frobenius decay of a tensor product', () => {
  const forms = {
    tucker2: {
      names: ['outputs', 'core', 'inputs'],
      dims: [
        [4, 3, 1, 1],
        [3, 2, 3, 2],
        [2, 5, 1, 1],
      ],
      equation: 'opxy,pqhw,qizv->oihw',
    },
    cp: {
      names: ['outputs', 'columns', 'rows', 'inputs'],
      dims: [
        [4, 3, 1, 1],
        [3, 1, 3, 1],
        [3, 1, 1, 2],
        [3, 5, 1, 1],
      ],
      equation: 'orxy,rahb,rcdw,rizv->oihw',
    },
  } as const;

  it.each(['tucker2', 'cp'] as const)('is that of ½‖W‖², by autodiff in float64: %s', async form => {
    const graph = new Graph('decay');
    const model = new Model(graph);
    model.opsets.set('', 21);
    const b = typedBuilder(model);
    const { names, dims, equation } = forms[form];
    const feeds: Record<string, Tensor> = {};
    const values = names.map((name, i) => {
      const size = dims[i]!.reduce((a: number, c) => a * c, 1);
      feeds[name] = Tensor.fromNumbers('float64', dims[i]!, noise(size, i));
      return graph.addInput(name, tensorType('float64', dims[i]));
    });
    const kernel = b.op('Einsum', values, { equation });
    const loss = b.mul(b.sum(b.square(kernel), [0, 1, 2, 3]), 0.5 * 0.3);
    const expected = gradients(model, loss, values);
    const lambda = graph.constant(Tensor.fromNumbers('float64', [], [0.3]));
    const layer = { factors: names, form } as unknown as FactorizedLayer;
    const ours = tensorGradients(
      b,
      layer,
      name => values[(names as readonly string[]).indexOf(name)]!,
      lambda,
    );
    names.forEach((name, i) => {
      graph.addOutput(b.op('Identity', [expected[i]!]), `expected ${name}`);
      graph.addOutput(b.op('Identity', [ours.get(name)!]), `ours ${name}`);
    });
    const found = await run(model, feeds);
    for (const name of names) {
      const want = found[`expected ${name}`]!.toFloat64();
      expect(found[`ours ${name}`]!.dims).toEqual(found[`expected ${name}`]!.dims);
      found[`ours ${name}`]!.toFloat64().forEach((value, i) => {
        expect(Math.abs(value - want[i]!)).toBeLessThan(1e-12 * (1 + Math.abs(want[i]!)));
      });
    }
  });
});
