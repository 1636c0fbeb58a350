import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/graph/value.js';
import { ACTIVATIONS, activation } from '../../src/nn/layers/activation.js';
import { conv1d, conv2d } from '../../src/nn/layers/conv.js';
import { linear } from '../../src/nn/layers/linear.js';
import { batchNorm, groupNorm, layerNorm, rmsNorm } from '../../src/nn/layers/normalization.js';
import { averagePool2d, maxPool2d } from '../../src/nn/layers/pool.js';
import type { Scope } from '../../src/nn/scope.js';
import { expectClose, type Numbers } from './close.js';
import { fill, parameterTensor } from './golden/fill.js';
import { layerNetwork, run } from './run.js';

interface Golden {
  readonly x: readonly number[];
  readonly y: Numbers;
  readonly after?: Readonly<Record<string, Numbers>>;
}

const GOLDEN: Readonly<Record<string, Golden>> = JSON.parse(
  readFileSync(new URL('golden/layers.json', import.meta.url), 'utf8'),
);

const features = 6;

/** The layers of make.py. */
const BUILDERS: Readonly<Record<string, (scope: Scope, x: Value) => Value>> = {
  linear: (s, x) => linear(s, x, { inFeatures: 6, outFeatures: 4 }),
  conv1d: (s, x) =>
    conv1d(s, x, {
      inChannels: 4,
      outChannels: 6,
      kernelSize: 3,
      stride: 2,
      padding: 3,
      dilation: 2,
      groups: 2,
    }),
  conv2d: (s, x) =>
    conv2d(s, x, { inChannels: 3, outChannels: 5, kernelSize: [3, 2], stride: [2, 1], padding: [1, 0] }),
  'batch-norm': (s, x) => batchNorm(s, x, { features: 3 }),
  'batch-norm-training': (s, x) => batchNorm(s, x, { features: 3 }),
  'layer-norm': (s, x) => layerNorm(s, x, { features }),
  'group-norm': (s, x) => groupNorm(s, x, { features, groups: 2 }),
  'rms-norm': (s, x) => rmsNorm(s, x, { features }),
  'max-pool': (s, x) => maxPool2d(s, x, { kernelSize: 3, stride: 2, padding: 1 }),
  'average-pool': (s, x) => averagePool2d(s, x, { kernelSize: 3, stride: 2, padding: 1 }),
  ...Object.fromEntries(ACTIVATIONS.map(kind => [kind, (s: Scope, x: Value) => activation(s, x, kind)])),
};

describe('layers give what PyTorch gives', () => {
  it('all of them', () => expect(Object.keys(BUILDERS).sort()).toEqual(Object.keys(GOLDEN).sort()));

  it.each(Object.keys(GOLDEN))('%s', async name => {
    const golden = GOLDEN[name]!;
    const training = name.endsWith('training');
    const network = fill(layerNetwork(golden.x.slice(1), BUILDERS[name]!, { training }));
    const declared = network.outputs[0]!.shape;
    for (const [buffer, value] of network.updates) network.output(`${buffer}.after`, value);
    const outputs = await run(network.toModel(), { x: parameterTensor('x', golden.x, 3) });
    expectClose(outputs.y, golden.y);
    // What a layer says of its output's shape is true.
    expect(declared).toEqual(['batch', ...golden.y.dims.slice(1)]);
    for (const [buffer, expected] of Object.entries(golden.after ?? {})) {
      const dims = expected.dims;
      if (buffer === 'running_mean') expectClose(outputs[`${buffer}.after`], expected);
      else {
        // PyTorch divides the batch's variance by n − 1, ONNX by n; n = 16 here.
        const before = parameterTensor(buffer, dims).toFloat32();
        const data = expected.data.map((v, i) => (v - 0.9 * before[i]!) * (15 / 16) + 0.9 * before[i]!);
        expectClose(outputs[`${buffer}.after`], { dims, data });
      }
    }
  });
});
