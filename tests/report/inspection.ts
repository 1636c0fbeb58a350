import type { DimensionReport, InspectReport, WeightReport } from '../../src/inspect/report.js';
import { measureSpectrum } from '../../src/inspect/spectrum.js';

/** A made-up report of a small model with external data, a shared and a nested weight. */
export function exampleInspection(): InspectReport {
  const values = Array.from({ length: 32 }, (_, i) => 4 * 0.8 ** i);
  const spectrum = { ...measureSpectrum(values), values };
  const weight: Omit<WeightReport, 'name'> = {
    kind: 'linear',
    op: 'MatMul',
    nodes: ['/encoder/MatMul'],
    nested: false,
    stored: 'initializer',
    shape: [32, 64],
    dtype: 'float32',
    bytes: 8192,
    share: 0.4,
    rows: 64,
    columns: 32,
    breakEven: 64 / 3,
    spectrum,
  };
  const { spectrum: _, ...unmeasured } = weight;
  return {
    version: 1,
    whittle: '0.1.0',
    model: {
      path: 'model.onnx',
      name: 'encoder',
      producer: 'pytorch 2.9',
      irVersion: 10,
      opsets: [
        { domain: '', version: 21 },
        { domain: 'com.microsoft', version: 1 },
      ],
      functions: ['local.Gelu'],
      metadata: [{ key: 'author', value: 'somebody' }],
      inputs: [{ name: 'tokens', dtype: 'int64', shape: ['batch', null] }],
      outputs: [{ name: 'hidden', dtype: 'float32' }],
    },
    bytes: {
      total: 20_480,
      files: [
        { path: 'model.onnx', bytes: 4096 },
        { path: 'weights.bin', bytes: 16_384 },
      ],
      parts: [
        { part: 'float32', tensors: 2, elements: 4096, bytes: 16_384 },
        { part: 'graph', tensors: 0, elements: 0, bytes: 4096 },
      ],
    },
    nodes: 12,
    subgraphs: 2,
    ops: [
      { op: 'MatMul', count: 3 },
      { op: 'com.microsoft.Gelu', count: 1 },
    ],
    weights: [
      { ...weight, name: 'encoder.weight', nodes: ['/encoder/MatMul', '/decoder/MatMul'] },
      { ...unmeasured, name: 'inner.weight', nested: true, stored: 'Constant node' },
    ],
    warnings: [],
  };
}

/** Made-up dimensions to go with it. */
export const exampleDimensions = (): DimensionReport => ({
  groups: [
    {
      name: 'first.weight[1]',
      channels: 96,
      left: 96,
      constants: [
        { name: 'first.weight', axis: 1, indices: 1 },
        { name: 'second.weight', axis: 0, indices: 1 },
      ],
      importance: { of: 'weights', gone: [32, 64, 96], lost: [0.1, 0.4, 1] },
    },
  ],
  refused: [{ constant: 'first.weight', axis: 0, size: 64, reason: 'it is a dimension of the input "x"' }],
  blocks: ['/block1/Add'],
});
