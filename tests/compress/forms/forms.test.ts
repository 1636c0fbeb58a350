import { describe, expect, it } from 'vitest';
import { findSites } from '../../../src/calibrate/sites.js';
import { int8Dynamic } from '../../../src/compress/methods/int8-dynamic.js';
import { int8Static, observeStaticRanges } from '../../../src/compress/methods/int8-static.js';
import { integers } from '../../../src/compress/methods/integers.js';
import { Tensor, tensorType } from '../../../src/graph/index.js';
import { modelOf, opTypes, outputs, proposals, relativeError, withWeights, write } from './written.js';

const product = (opset: number, width = 64) =>
  modelOf([2, 9, width], (g, x, constant) => g.op('MatMul', [x, constant([width, 24])]), { opset });

const gemm = (opset: number) =>
  modelOf(
    [30, 64],
    (g, x, constant) => g.op('Gemm', [x, constant([24, 64]), constant([24])], { transB: 1 }),
    { opset },
  );

const image = (opset: number, attributes: Record<string, number | number[]>, weight: number[]) =>
  modelOf(
    [2, 8, 9, 8],
    (g, x, constant) => g.op('Conv', [x, constant(weight), constant([weight[0]!])], attributes),
    {
      opset,
    },
  );

describe('dynamic int8', () => {
  it.each([9, 11, 13, 21])('multiplies integers and stays near the rounded weight, opset %i', async opset => {
    for (const { model, samples } of [product(opset), gemm(opset)]) {
      const [{ layer, candidate }] = (await proposals(model, samples, [int8Dynamic])) as [
        Awaited<ReturnType<typeof proposals>>[number],
      ];
      const written = write(model, [[layer.site, candidate]]);
      const expected = opset < 11 ? 'DynamicQuantizeMatMul' : 'MatMulInteger';
      expect(opTypes(written)).toContain(expected);
      const promised = await outputs(withWeights(model, [[layer.site, candidate.weight()]]), samples);
      const error = relativeError(promised, await outputs(written, samples));
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(0.02);
    }
  });

  it('rounds an activation once for all layers that read it', async () => {
    const { model, samples } = modelOf([4, 64], (g, x, c) =>
      g.op('Add', [g.op('MatMul', [x, c([64, 16])]), g.op('MatMul', [x, c([64, 16])])]),
    );
    const found = await proposals(model, samples, [int8Dynamic]);
    const written = write(
      model,
      found.map(({ layer, candidate }) => [layer.site, candidate]),
    );
    expect(opTypes(written).filter(type => type === 'DynamicQuantizeLinear')).toHaveLength(1);
    expect(relativeError(await outputs(model, samples), await outputs(written, samples))).toBeLessThan(0.02);
  });

  it('leaves convolutions and products from the left alone', async () => {
    const left = modelOf([64, 9], (g, x, c) => g.op('MatMul', [c([24, 64]), x]));
    const conv = image(17, { pads: [1, 1, 1, 1] }, [6, 8, 3, 3]);
    for (const { model, samples } of [left, conv]) {
      expect(await proposals(model, samples, [int8Dynamic])).toEqual([]);
    }
  });
});

describe('integers in memory', () => {
  // 70 columns are no whole number of blocks.
  it.each([64, 70])('multiplies blocks of 2, 4 and 8 bits, %i columns', async width => {
    const { model, samples } = product(9, width);
    const found = await proposals(model, samples, [integers]);
    expect(found.map(({ candidate }) => candidate.label)).toEqual(['int2 b16', 'int4 b32', 'int8 b32']);
    for (const { layer, candidate } of found) {
      const written = write(model, [[layer.site, candidate]]);
      expect(opTypes(written)).toContain('MatMulNBits');
      const promised = await outputs(withWeights(model, [[layer.site, candidate.weight()]]), samples);
      expect(relativeError(promised, await outputs(written, samples)), candidate.label).toBeLessThan(0.02);
    }
  });

  it('adds the bias of a Gemm', async () => {
    const { model, samples } = gemm(13);
    const found = await proposals(model, samples, [integers]);
    const fine = found.find(({ candidate }) => candidate.label === 'int8 b32')!;
    const written = write(model, [[fine.layer.site, fine.candidate]]);
    expect(relativeError(await outputs(model, samples), await outputs(written, samples))).toBeLessThan(0.02);
  });

  it('fetches rows of a table as integers', async () => {
    const table = modelOf([40, 64], (g, _x, constant) => {
      g.inputs.length = 0;
      const ids = g.addInput('ids', tensorType('int64', [2, 5]));
      return g.op('Gather', [constant([40, 64]), ids], { axis: 0 });
    });
    const samples = [{ ids: Tensor.int64([0, 39, 7, 7, 1, 38, 20, 3, 4, 5], [2, 5]) }];
    const found = await proposals(table.model, samples, [integers]);
    expect(found.map(({ candidate }) => candidate.label)).toEqual(['int4 b32', 'int8 b32', 'int8']);
    for (const { layer, candidate } of found) {
      const promised = await outputs(withWeights(table.model, [[layer.site, candidate.weight()]]), samples);
      const written = write(table.model, [[layer.site, candidate]]);
      expect(relativeError(promised, await outputs(written, samples)), candidate.label).toBeLessThan(1e-6);
    }
  });

  it.each([9, 13])('keeps a convolution as int8, opset %i', async opset => {
    const { model, samples } = image(opset, { pads: [1, 1, 1, 1], group: 2 }, [6, 4, 3, 3]);
    const found = await proposals(model, samples, [integers]);
    expect(found).toHaveLength(1);
    const { layer, candidate } = found[0]!;
    const written = write(model, [[layer.site, candidate]]);
    expect(opTypes(written)).toEqual(['DequantizeLinear', 'Conv']);
    const promised = await outputs(withWeights(model, [[layer.site, candidate.weight()]]), samples);
    expect(relativeError(promised, await outputs(written, samples))).toBeLessThan(1e-6);
  });

  it('runs in ONNX Runtime Web as in Node', async () => {
    const { model, samples } = product(13);
    for (const { layer, candidate } of await proposals(model, samples, [integers, int8Dynamic])) {
      const written = write(model, [[layer.site, candidate]]);
      const [here, web] = [await outputs(written, samples), await outputs(written, samples, 'wasm')];
      expect(relativeError(here, web), candidate.label).toBeLessThan(0.01);
    }
  });
});

describe('static int8', () => {
  const network = (opset: number) =>
    modelOf(
      [2, 8, 12, 10],
      (g, x, c) => {
        const bias = { pads: [1, 1, 1, 1] };
        const first = g.op('Relu', [g.op('Conv', [x, c([16, 8, 3, 3]), c([16])], bias)]);
        const deep = g.op('Conv', [first, c([16, 1, 3, 3])], { ...bias, group: 16, strides: [2, 2] });
        const shifted = g.op('Add', [deep, c([1, 16, 1, 1])]);
        return g.op('Add', [shifted, g.op('Conv', [shifted, c([16, 16, 1, 1])])]);
      },
      { opset },
    );

  it.each([10, 13, 21])('keeps a chain of convolutions near the original, opset %i', async opset => {
    const { model, samples } = network(opset);
    const sites = findSites(model);
    const method = int8Static(await observeStaticRanges(model, sites, samples, { threads: 1 }));
    const found = await proposals(model, samples, [method], sites);
    expect(found).toHaveLength(3);
    const written = write(
      model,
      found.map(({ layer, candidate }) => [layer.site, candidate]),
    );
    // One pair for the input and one behind each convolution: between them nothing is rounded twice.
    expect(opTypes(written).filter(type => type === 'QuantizeLinear')).toHaveLength(4);
    const error = relativeError(await outputs(model, samples), await outputs(written, samples));
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(0.03);
  });

  it('has nothing to offer before the operators that it needs', async () => {
    const { model, samples } = network(9);
    expect([...(await observeStaticRanges(model, findSites(model), samples))]).toEqual([]);
  });

  it('gives each layer alone a model that loads and stays near', async () => {
    const { model, samples } = network(17);
    const sites = findSites(model);
    const method = int8Static(await observeStaticRanges(model, sites, samples, { threads: 1 }));
    const found = await proposals(model, samples, [method], sites);
    expect(found).toHaveLength(3);
    for (const { layer, candidate } of found) {
      const promised = await outputs(withWeights(model, [[layer.site, candidate.weight()]]), samples);
      const written = await outputs(write(model, [[layer.site, candidate]]), samples);
      expect(relativeError(promised, written)).toBeLessThan(0.03);
    }
  });
});
