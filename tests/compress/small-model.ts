import type { InputSource } from '../../src/data/sample.js';
import { indexedSource } from '../../src/data/sample.js';
import { Graph } from '../../src/graph/graph.js';
import { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType, type Value } from '../../src/graph/value.js';
import { Random } from '../../src/random/random.js';

/** A matrix whose singular values fall off, as those of trained layers do: (rows, cols). */
export function fallingSpectrum(random: Random, rows: number, cols: number): Float32Array {
  const data = new Float32Array(rows * cols);
  for (let k = 0; k < Math.min(rows, cols); k++) {
    const u = Array.from({ length: rows }, () => random.normal());
    const v = Array.from({ length: cols }, () => random.normal());
    const strength = 1 / (1 + k) ** 1.2 / Math.sqrt(rows * cols);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < cols; j++) data[i * cols + j]! += 4 * strength * u[i]! * v[j]!;
    }
  }
  return data;
}

/** Two convolutions and two linear layers, opset 17: image [n, 3, 12, 12] → scores [n, 10]. */
export function smallModel(seed = 1): Model {
  const random = new Random(seed);
  const graph = new Graph('small');
  const weight = (name: string, dims: number[]) =>
    graph.constant(
      Tensor.float32(
        dims,
        fallingSpectrum(
          random,
          dims[0]!,
          dims.slice(1).reduce((a, b) => a * b, 1),
        ),
      ),
      name,
    );
  const bias = (name: string, size: number) =>
    graph.constant(
      Tensor.float32(
        [size],
        Array.from({ length: size }, () => 0.1 * random.normal()),
      ),
      name,
    );
  let x: Value = graph.addInput('image', tensorType('float32', ['n', 3, 12, 12]));
  const conv = (input: Value, name: string, out: number, channels: number, strides: number[]) =>
    graph.op(
      'Conv',
      [input, weight(`${name}.weight`, [out, channels, 3, 3]), bias(`${name}.bias`, out)],
      { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides },
      { name },
    );
  x = graph.op('Relu', [conv(x, 'stem', 32, 3, [1, 1])]);
  x = graph.op('Relu', [conv(x, 'body', 64, 32, [2, 2])]);
  x = graph.op('Flatten', [graph.op('GlobalAveragePool', [x])]);
  x = graph.op('MatMul', [x, weight('hidden.weight', [64, 256])], {}, { name: 'hidden' });
  x = graph.op('Relu', [graph.op('Add', [x, bias('hidden.bias', 256)])]);
  x = graph.op(
    'Gemm',
    [x, weight('head.weight', [10, 256]), bias('head.bias', 10)],
    { transB: 1 },
    { name: 'head' },
  );
  graph.addOutput(x, 'scores').type = tensorType('float32', ['n', 10]);
  const model = new Model(graph);
  model.opsets = new Map([['', 17]]);
  model.irVersion = 8;
  return model;
}

/** Seeded images for it. */
export function smallInputs(count = 24): InputSource {
  return indexedSource({ description: 'noise images' }, count, index => {
    const random = new Random(1000 + index);
    const data = Float32Array.from({ length: 3 * 12 * 12 }, () => random.normal());
    return { image: Tensor.float32([1, 3, 12, 12], data) };
  });
}
