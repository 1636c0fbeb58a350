import { describe, expect, it } from 'vitest';
import { generatedInputs, parseShapes, type Signature, vocabularySize } from '../../src/data/index.js';
import { Graph, Tensor, tensorType } from '../../src/graph/index.js';

const signature: Signature = [
  { name: 'input_ids', dtype: 'int64', shape: ['batch', 'sequence'] },
  { name: 'attention_mask', dtype: 'int64', shape: ['batch', 'sequence'] },
  { name: 'token_type_ids', dtype: 'int64', shape: ['batch', 'sequence'] },
  { name: 'pixels', dtype: 'float32', shape: ['batch', 3, 'height', null] },
  { name: 'sr', dtype: 'int64', shape: [] },
  { name: 'state', dtype: 'float32', shape: [2, 1, 4] },
];

describe('generatedInputs', () => {
  it('chooses shapes and values by role, and says what it assumed', async () => {
    const source = generatedInputs(signature, {
      count: 3,
      vocabulary: { input_ids: 7 },
      dims: { height: 16 },
    });
    expect(source).toMatchObject({ length: 3, generated: true });
    expect(source.notes!.join(' ')).toMatch(/agreement with the original on random inputs/);
    expect(source.notes!.join(' ')).toMatch(/batch = 1, sequence = 32, axis 3 of pixels = 224/);
    let samples = 0;
    for await (const sample of source.samples()) {
      samples++;
      expect(sample.input_ids!.dims).toEqual([1, 32]);
      expect(sample.input_ids!.toNumbers().every(id => id >= 0 && id < 7)).toBe(true);
      expect(new Set(sample.attention_mask!.toNumbers())).toEqual(new Set([1]));
      expect(new Set(sample.token_type_ids!.toNumbers())).toEqual(new Set([0]));
      expect(sample.pixels!.dims).toEqual([1, 3, 16, 224]);
      expect(sample.sr!.toNumbers()).toEqual([16000]);
      expect(new Set(sample.state!.toNumbers())).toEqual(new Set([0]));
    }
    expect(samples).toBe(3);
  });

  it('gives the same for the same seed, other things otherwise', async () => {
    const values = async (seed: number, index: number) =>
      (
        await generatedInputs(signature, { seed, shapes: { pixels: [1, 3, 8, 8] } }).sample!(index)
      ).pixels!.toFloat32();
    expect(await values(1, 2)).toEqual(await values(1, 2));
    expect(await values(1, 2)).not.toEqual(await values(1, 3));
    expect(await values(1, 2)).not.toEqual(await values(2, 2));
  });

  it('makes images smooth: neighbours are alike, which white noise is not', async () => {
    const shape: Signature = [{ name: 'x', dtype: 'float32', shape: [1, 3, 64, 64] }];
    const values = (await generatedInputs(shape).sample!(0)).x!.toFloat32();
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const power = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
    const steps = values.map((v, i) => (i % 64 === 0 ? 0 : (v - values[i - 1]!) ** 2));
    const roughness = steps.reduce((a, b) => a + b, 0) / values.length / power;
    expect(Math.abs(mean)).toBeLessThan(0.1);
    expect(power).toBeGreaterThan(0.5);
    expect(power).toBeLessThan(2);
    // For white noise it is 2.
    expect(roughness).toBeLessThan(0.2);
  });

  it('warns where the vocabulary is not known, and keeps ids small', async () => {
    const source = generatedInputs(signature);
    expect(source.notes!.some(note => /"input_ids".*ids below 100/.test(note))).toBe(true);
    expect(Math.max(...(await source.sample!(0)).input_ids!.toNumbers())).toBeLessThan(100);
  });

  it('refuses shapes that do not fit', () => {
    const given = (...texts: string[]) => parseShapes(texts, signature);
    expect(given('pixels=1,3,48,320', 'sequence=8')).toEqual({
      shapes: { pixels: [1, 3, 48, 320] },
      dims: { sequence: 8 },
    });
    expect(() => given('pixel=1,3')).toThrow(/"pixel=1,3" is not understood/);
    expect(() => given('pixels=')).toThrow(/not understood/);
    expect(() => generatedInputs(signature, given('pixels=1,4,8,8'))).toThrow(
      'input "pixels" takes [batch, 3, height, ?], the shape given is [1, 4, 8, 8]',
    );
  });
});

describe('vocabularySize', () => {
  it('finds the embedding table behind casts and reshapes', () => {
    const graph = new Graph();
    const ids = graph.addInput('ids', tensorType('int64', ['n']));
    const cast = graph.op('Cast', [graph.op('Unsqueeze', [ids, graph.constant(Tensor.int64([0]))])], {
      to: 6,
    });
    const table = graph.constant(Tensor.float32([50, 2], new Float32Array(100)), 'table');
    const smaller = graph.op('Constant', [], { value: Tensor.float32([40, 2], new Float32Array(80)) });
    graph.addOutput(graph.op('Gather', [table, cast]));
    expect(vocabularySize(graph, 'ids')).toBe(50);
    graph.addOutput(graph.op('Gather', [smaller, ids]));
    expect(vocabularySize(graph, 'ids')).toBe(40);
    expect(vocabularySize(graph, 'other')).toBeUndefined();
  });

  it('does not take a table for one that is indexed by something else', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [4, 4]));
    graph.addOutput(graph.op('Gather', [x, graph.constant(Tensor.int64([0]))]));
    expect(vocabularySize(graph, 'x')).toBeUndefined();
  });
});
