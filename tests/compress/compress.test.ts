import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compress } from '../../src/compress/index.js';
import { Graph } from '../../src/graph/graph.js';
import { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType } from '../../src/graph/value.js';
import { load } from '../../src/onnx/files.node.js';
import { encodeToBytes, modelByteLength } from '../../src/onnx/index.js';
import { Random } from '../../src/random/random.js';
import { createSession } from '../../src/runtime/index.js';
import { fallingSpectrum, smallInputs, smallModel } from './small-model.js';

const settings = { inputs: smallInputs(), threads: 1, timing: false };

async function scoresOf(model: Model | string | Uint8Array): Promise<Float32Array> {
  const session = await createSession(model, { threads: 1 });
  try {
    let last: Float32Array | undefined;
    for await (const sample of smallInputs(1).samples())
      last = (await session.run(sample)).scores!.toFloat32();
    return last!;
  } finally {
    await session.release();
  }
}

const distance = (a: Float32Array, b: Float32Array) =>
  Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0) / a.reduce((sum, v) => sum + v * v, 0));

describe('compress', () => {
  it.each(['svd', 'quantize', 'svd+quantize', 'lowrank', 'auto'] as const)(
    'by %s makes a smaller file whose outputs stay near',
    async method => {
      const model = smallModel();
      const { report, bytes } = await compress(model, { ...settings, method, error: 0.1 });
      expect(bytes().length).toBe(report.bytes.after);
      expect(report.bytes.after).toBeLessThan(report.bytes.before);
      expect(distance(await scoresOf(model), await scoresOf(bytes()))).toBeLessThan(0.2);
      for (const layer of report.layers) expect(layer.error).toBeLessThanOrEqual(0.1);
    },
  );

  it('leaves the given model as it was', async () => {
    const model = smallModel();
    const before = encodeToBytes(model);
    await compress(model, settings);
    expect(Buffer.compare(encodeToBytes(model), before)).toBe(0);
  });

  it('chooses the same ranks by forward passes as by the closed form', async () => {
    const options = { ...settings, method: 'svd', error: 0.2 } as const;
    const closed = await compress(smallModel(), options);
    const forward = await compress(smallModel(), { ...options, rankSearch: 'forward' });
    const ranks = (result: typeof closed) => result.report.layers.map(({ rank }) => rank);
    expect(ranks(closed).filter(rank => rank !== undefined).length).toBeGreaterThan(1);
    expect(ranks(forward)).toEqual(ranks(closed));
  });

  it('keeps a size, exactly, and takes the best that fits', async () => {
    const model = smallModel();
    const original = modelByteLength(model);
    const errors: number[] = [];
    for (const share of ['30%', '20%', '12%']) {
      const { report } = await compress(model, { ...settings, maxSize: share });
      expect(report.bytes.after).toBeLessThanOrEqual((Number.parseFloat(share) / 100) * original);
      expect(report.budget?.map(({ held }) => held)).toEqual([true]);
      errors.push(report.verification.outputs[0]!.relativeError);
    }
    expect(errors[0]!).toBeLessThan(errors[2]!);
  });

  it('keeps a quality, and takes fewer bytes for less of it', async () => {
    const strict = await compress(smallModel(), { ...settings, minQuality: 'cosine=0.9999' });
    const loose = await compress(smallModel(), { ...settings, minQuality: 'cosine=0.99' });
    expect(loose.report.bytes.after).toBeLessThan(strict.report.bytes.after);
    expect(strict.report.verification.outputs[0]!.cosine).toBeGreaterThan(0.9995);
  });

  it('says when a budget cannot be met, and gives the nearest', async () => {
    const { report } = await compress(smallModel(), { ...settings, maxSize: 500 });
    expect(report.warnings.join()).toMatch(/cannot reach 500 bytes/);
    expect(report.bytes.after).toBeLessThan(report.bytes.before);
  });

  it('leaves out what it is told to', async () => {
    const { report } = await compress(smallModel(), { ...settings, exclude: ['head*', '*body*'] });
    const untouched = report.layers.filter(layer => layer.choice === 'unchanged').map(layer => layer.weight);
    expect(untouched).toEqual(expect.arrayContaining(['body.weight', 'head.weight']));
    expect(report.layers.find(layer => layer.weight === 'hidden.weight')!.choice).not.toBe('unchanged');
  });

  it('writes a file that loads again, and is written whole', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'whittle-'));
    try {
      const result = await compress(smallModel(), settings);
      const path = join(folder, 'small.onnx');
      await result.save(path);
      expect((await readFile(path)).byteLength).toBe(result.report.bytes.after);
      expect(await scoresOf(path)).toEqual(await scoresOf(result.bytes()));
      const again = await compress(await load(path), settings);
      expect(again.report.bytes.after).toBeLessThanOrEqual(again.report.bytes.before);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('never makes a file larger: what does not gain stays', async () => {
    const graph = new Graph();
    const x = graph.addInput('image', tensorType('float32', [1, 8]));
    const w = graph.constant(Tensor.float32([8, 8], fallingSpectrum(new Random(3), 8, 8)));
    graph.addOutput(graph.op('MatMul', [x, w]), 'scores');
    const model = new Model(graph);
    const { report, bytes } = await compress(model, { threads: 1, error: 1e-9 });
    expect(report.unchanged).toBe(true);
    expect(Buffer.compare(bytes(), encodeToBytes(model))).toBe(0);
    expect(report.verdict).toMatch(/stays as it is/);
  });

  it('stores a weight that two layers share once', async () => {
    const graph = new Graph();
    const random = new Random(4);
    const shared = graph.constant(Tensor.float32([64, 64], fallingSpectrum(random, 64, 64)), 'shared');
    let x = graph.addInput('image', tensorType('float32', ['n', 64]));
    x = graph.op('Relu', [graph.op('MatMul', [x, shared])]);
    graph.addOutput(graph.op('MatMul', [x, shared]), 'scores');
    const model = new Model(graph);
    const inputs = smallVectors(64);
    const { report, bytes } = await compress(model, { inputs, threads: 1, method: 'quantize' });
    expect(report.layers).toHaveLength(1);
    expect(bytes().length).toBeLessThan(64 * 64 * 2);
  });

  it('names the layer whose weights are NaN', async () => {
    const model = smallModel();
    const weight = [...model.graph.initializers].find(v => v.name === 'hidden.weight')!;
    const data = (weight.initializer as Tensor).toFloat32().slice();
    data[5] = Number.NaN;
    weight.initializer = Tensor.float32([64, 256], data);
    await expect(compress(model, settings)).rejects.toThrow(/NaN[\s\S]*hidden/);
  });

  it('names the node whose activation is not finite', async () => {
    const graph = new Graph();
    const x = graph.addInput('image', tensorType('float32', ['n', 16]));
    const log = graph.op('Log', [graph.op('Neg', [graph.op('Abs', [x])])], {}, { name: 'broken' });
    const w = graph.constant(Tensor.float32([16, 16], fallingSpectrum(new Random(5), 16, 16)));
    graph.addOutput(graph.op('MatMul', [log, w]), 'scores');
    await expect(compress(new Model(graph), { inputs: smallVectors(16), threads: 1 })).rejects.toThrow(
      /NaN or infinite[\s\S]*broken/,
    );
  });

  it.each([
    [{ method: 'magic' as 'svd' }, /there is no method "magic"/],
    [{ goal: 'fast' as 'size' }, /no goal "fast"/],
    [{ recover: 'all' as 'layers' }, /no recovery "all"/],
    [{ error: 2 }, /between 0 and 1/],
    [{ samples: { calibration: 0 } }, /positive integer/],
    [{ maxSize: 'large' }, /is no size/],
    [{ minQuality: 'good' }, /is no bound/],
    [{ minQuality: 'score.exact>=1' }, /needs an evaluation/],
  ])('refuses %j', async (options, message) => {
    await expect(compress(smallModel(), { ...settings, ...options })).rejects.toThrow(message);
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    const work = compress(smallModel(), {
      ...settings,
      signal: controller.signal,
      onProgress: ({ phase }) => phase === 'score' && controller.abort(),
    });
    await expect(work).rejects.toThrow(/abort/i);
  });
});

function smallVectors(width: number) {
  const inputs = smallInputs();
  return {
    ...inputs,
    sample: undefined,
    async *samples() {
      for (let i = 0; i < 12; i++) {
        const random = new Random(i);
        yield {
          image: Tensor.float32(
            [2, width],
            Array.from({ length: 2 * width }, () => random.normal()),
          ),
        };
      }
    },
    length: 12,
  };
}

describe('compress for speed and memory', () => {
  it('writes integer products where speed is the goal, within the quality', async () => {
    const { report, bytes } = await compress(smallModel(), {
      ...settings,
      goal: 'speed',
      minQuality: 'cosine=0.99',
    });
    expect(distance(await scoresOf(smallModel()), await scoresOf(bytes()))).toBeLessThan(0.2);
    expect(report.budget?.every(({ held }) => held)).toBe(true);
  });

  it('keeps weights as integers where memory is the goal', async () => {
    const { report, bytes } = await compress(smallModel(), {
      ...settings,
      goal: 'memory',
      minQuality: 'cosine=0.99',
    });
    expect(report.bytes.after).toBeLessThan(report.bytes.before / 2);
    expect(distance(await scoresOf(smallModel()), await scoresOf(bytes()))).toBeLessThan(0.2);
  });

  it('says which part of a contradictory budget does not hold', async () => {
    const { report } = await compress(smallModel(), {
      ...settings,
      maxSize: '8%',
      minQuality: 'cosine=0.99999',
    });
    expect(report.budget?.map(({ held }) => held)).toEqual([true, false]);
    expect(report.warnings.join()).toMatch(/does not hold cosine=0.99999/);
  });
});
