import { beforeAll, describe, expect, it } from 'vitest';
import { indexedSource } from '../../src/data/sample.js';
import { WhittleError } from '../../src/graph/errors.js';
import type { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType } from '../../src/graph/value.js';
import { initLinalg } from '../../src/linalg/index.js';
import { findGroups } from '../../src/prune/groups.js';
import { prune } from '../../src/prune/prune.js';
import { refit } from '../../src/prune/refit.js';
import { atomsOf, shrink } from '../../src/prune/remove.js';
import { Random } from '../../src/random/random.js';
import { smallInputs, smallModel } from '../compress/small-model.js';
import { difference, run } from './law.js';
import { Builder, convolutional, transformer } from './networks.js';

beforeAll(() => initLinalg());

const image = (seed: number): Tensor => {
  const random = new Random(seed);
  return Tensor.float32(
    [1, 3, 6, 6],
    Array.from({ length: 108 }, () => random.normal()),
  );
};
const light = { timing: false, threads: 1, samples: { calibration: 8, verification: 4 } };
const images = indexedSource({ description: 'noise' }, 24, i => ({ x: image(i) }));
const calibration = Array.from({ length: 24 }, (_, i) => ({ x: image(i) }));

/** A net whose wide layer has each filter twice: half of it can go, if the readers are refit. */
function doubled(): Model {
  const b = new Builder(11);
  const x = b.graph.addInput('x', tensorType('float32', [1, 3, 6, 6]));
  const half = b.weight([6, 3, 3, 3]).initializer as Tensor;
  const twice = Tensor.float32([12, 3, 3, 3], [...half.toFloat32(), ...half.toFloat32()]);
  const wide = b.op('Relu', [b.op('Conv', [x, b.graph.constant(twice, 'wide')], { pads: [1, 1, 1, 1] })]);
  const next = b.op('Relu', [b.conv(wide, 12, 16)]);
  return b.finish(b.linear(b.op('Flatten', [b.op('GlobalAveragePool', [next])]), 16, 5));
}

describe('refit', () => {
  it('makes up for channels whose likes are left', async () => {
    const model = doubled();
    const groups = findGroups(model);
    const group = groups.groups.find(({ size }) => size === 12)!;
    const selection = new Map([[group, [0, 3, 7, 10]]]);
    const [before] = Object.values(await run(model, { x: image(99) }));
    const shrunk = shrink(model, groups.dependencies, atomsOf(selection));
    const cut = difference(before!, Object.values(await run(shrunk.model, { x: image(99) }))[0]!);
    await refit(model, shrunk, calibration, { threads: 1 });
    const fitted = difference(before!, Object.values(await run(shrunk.model, { x: image(99) }))[0]!);
    expect(cut).toBeGreaterThan(0.05);
    expect(fitted).toBeLessThan(1e-3);
  });

  it.each([
    ['residual', 'grouped', 'separable'],
    ['gated', 'concatenated', 'multiplied'],
  ])('leaves a model alone that lost nothing', async (...blocks) => {
    const model = convolutional({ seed: 5, blocks, pooled: false });
    const shrunk = shrink(model, findGroups(model).dependencies, new Set());
    await refit(model, shrunk, calibration, { threads: 1 });
    const [a, b] = [await run(model, { x: image(50) }), await run(shrunk.model, { x: image(50) })];
    expect(difference(a.y!, b.y!)).toBeLessThan(1e-4);
  });
});

describe('prune', () => {
  it.each(['reconstruction', 'taylor', 'magnitude'] as const)(
    'leaves a share of the operations, by %s',
    async importance => {
      const model = smallModel();
      const { report, model: pruned } = await prune(model, {
        flops: 0.6,
        importance,
        inputs: smallInputs(),
        ...light,
      });
      expect(report.met).toBe(true);
      expect(report.flops!.after / report.flops!.before).toBeLessThanOrEqual(0.605);
      expect(report.flops!.after / report.flops!.before).toBeGreaterThan(0.4);
      expect(report.bytes.after).toBeLessThan(report.bytes.before);
      expect(pruned.graph.outputs[0]!.shape).toEqual(['n', 10]);
      expect(report.groups.every(({ left }) => left % 8 === 0)).toBe(true);
      expect(report.verification.outputs[0]!.cosine).toBeGreaterThan(0.8);
      // The given model is as it was.
      expect([...model.graph.initializers][0]!.initializer!.dims).toEqual([32, 3, 3, 3]);
    },
  );

  it('is nearer to the original with refit than without', async () => {
    const cosine = async (options: object) => {
      const { report } = await prune(smallModel(), {
        flops: 0.6,
        inputs: smallInputs(),
        ...light,
        ...options,
      });
      return report.verification.outputs[0]!.cosine;
    };
    expect(await cosine({})).toBeGreaterThan(await cosine({ refit: false }));
  });

  it('takes the same share of every group where that is asked for', async () => {
    const { report } = await prune(smallModel(), {
      parameters: 0.6,
      allocation: 'uniform',
      inputs: smallInputs(),
      ...light,
    });
    const shares = report.groups.map(({ left, channels }) => left / channels);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThan(0.26);
    expect(report.parameters.after / report.parameters.before).toBeLessThanOrEqual(0.61);
  });

  it('removes residual blocks, those that are missed least first', async () => {
    const model = convolutional({ seed: 3, blocks: ['residual', 'residual'], pooled: true });
    const { report } = await prune(model, { blocks: 1, inputs: images, ...light });
    expect(report.blocks).toHaveLength(1);
    expect(report.parameters.after).toBeLessThan(report.parameters.before);
    await expect(prune(model, { blocks: 3, inputs: images })).rejects.toThrow(/2 residual blocks/);
  });

  it('says what is wrong with its options', async () => {
    const model = smallModel();
    await expect(prune(model, {})).rejects.toThrow(/how much/);
    await expect(prune(model, { flops: 1.5 })).rejects.toThrow(/between 0 and 1/);
    await expect(prune(model, { flops: 0.5, round: 0 })).rejects.toThrow(WhittleError);
    await expect(prune(model, { flops: 0.5, include: ['nothing*'], inputs: smallInputs() })).rejects.toThrow(
      /no group of channels/,
    );
  });

  it('refuses weights that are stored as integers', async () => {
    const b = new Builder(1);
    const x = b.graph.addInput('x', tensorType('float32', [1, 8]));
    const weight = b.graph.constant(Tensor.fromNumbers('int8', [8, 16], new Int8Array(128).fill(3)));
    const scale = b.graph.constant(Tensor.scalar(0.1));
    const hidden = b.op('Relu', [b.op('MatMul', [x, b.op('DequantizeLinear', [weight, scale])])]);
    const other = b.op('DequantizeLinear', [
      b.graph.constant(Tensor.fromNumbers('int8', [16, 4], new Int8Array(64))),
      scale,
    ]);
    const model = b.finish(b.op('MatMul', [hidden, other]));
    const inputs = indexedSource({ description: 'ones' }, 4, () => ({
      x: Tensor.float32([1, 8], new Float32Array(8).fill(1)),
    }));
    await expect(prune(model, { flops: 0.5, inputs })).rejects.toThrow(
      /integers already.*Prune the float model/,
    );
  });

  it('refuses sizes that only a run decides', async () => {
    const b = new Builder(1);
    const x = b.graph.addInput('x', tensorType('float32', [1, 8]));
    const shape = b.graph.addInput('shape', tensorType('int64', ['rank']));
    const hidden = b.op('Reshape', [b.linear(x, 8, 16), shape]);
    const model = b.finish(b.op('MatMul', [hidden, b.weight([16, 4])]));
    const inputs = indexedSource({ description: 'ones' }, 4, () => ({
      x: Tensor.float32([1, 8], new Float32Array(8).fill(1)),
      shape: Tensor.int64([1, 16]),
    }));
    await expect(prune(model, { flops: 0.5, inputs })).rejects.toThrow(
      /shape is not known before the model runs/,
    );
  });

  it('removes heads of a transformer', async () => {
    const ids = indexedSource({ description: 'ids' }, 16, i => ({
      x: Tensor.int64(
        [i, 3, (2 * i) % 20, 1, 7].map(id => id % 20),
        [1, 5],
      ),
    }));
    const model = transformer({ seed: 8, packed: true, symbolic: false, gated: true });
    const { report } = await prune(model, { parameters: 0.85, inputs: ids, ...light });
    expect(report.met).toBe(true);
    expect(report.groups.filter(({ left, channels }) => left < channels).length).toBeGreaterThan(0);
  });
});
