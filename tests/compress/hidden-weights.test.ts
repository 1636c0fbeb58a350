import { describe, expect, it } from 'vitest';
import { compress } from '../../src/compress/index.js';
import { indexedSource } from '../../src/data/sample.js';
import type { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { combine, readMethod } from '../../src/methods/registry.js';
import { exportForInference, mlp } from '../../src/nn/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { Random } from '../../src/random/random.js';

const WIDTH = 64;

const inputs = indexedSource({ description: 'noise' }, 16, index => {
  const random = new Random(index);
  const data = Float32Array.from({ length: 4 * WIDTH }, () => random.normal());
  return { input: Tensor.float32([4, WIDTH], data) };
});

async function exported(method: string): Promise<Model> {
  const network = mlp({ widths: [WIDTH, 128, WIDTH, 8], activation: 'gelu' });
  const [made] = await combine([readMethod(method)]);
  made!.prepare!(network);
  return exportForInference(network);
}

describe('weights that are put together from constants', () => {
  it.each(['it', 'ot', 'dt'])('DYAD-%s in one product compresses as well as in two', async variant => {
    const sizes: number[] = [];
    for (const cat of [false, true]) {
      const model = await exported(`dyad:layers=0+2,variant=${variant},cat=${cat}`);
      const before = encodeToBytes(model);
      const { report } = await compress(model, { inputs, threads: 1, timing: false, error: 0.1 });
      expect(encodeToBytes(model)).toEqual(before);
      sizes.push(report.bytes.after / report.bytes.before);
    }
    expect(sizes[0]).toBeLessThan(0.5);
    expect(sizes[1]! / sizes[0]!).toBeLessThan(1.05);
  });
});
