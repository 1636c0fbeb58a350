import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import type { Value } from '../../src/graph/value.js';
import { basicBlock, bottleneck, convNorm, relu, type Scope } from '../../src/nn/index.js';
import { expectClose } from './close.js';
import { fill, imageTensor } from './golden/fill.js';
import { layerNetwork, run } from './run.js';

const built = (build: (scope: Scope, x: Value) => Value) => fill(layerNetwork([6, 7, 9], build));

const names = (build: (scope: Scope, x: Value) => Value): string[] =>
  [...built(build).parameters.keys()].filter(name => name.endsWith('weight'));

// What the blocks compute is compared with PyTorch's in the models that are made of them (models.test.ts).
describe('residual blocks', () => {
  it('have the names of torchvision, and a projection only where the size changes', () => {
    const same = { inChannels: 6, outChannels: 6 };
    const convolutions = (n: number) =>
      Array.from({ length: n }, (_, i) => [`conv${i + 1}.weight`, `bn${i + 1}.weight`]);
    const projection = ['downsample.0.weight', 'downsample.1.weight'];
    expect(names((s, x) => basicBlock(s, x, same))).toEqual(convolutions(2).flat());
    expect(names((s, x) => basicBlock(s, x, { ...same, stride: 2 }))).toEqual([
      ...convolutions(2).flat(),
      ...projection,
    ]);
    expect(names((s, x) => bottleneck(s, x, { inChannels: 6, outChannels: 8 }))).toEqual([
      ...convolutions(3).flat(),
      ...projection,
    ]);
    const padded = { inChannels: 6, outChannels: 9, stride: 2, shortcut: 'pad' } as const;
    expect(names((s, x) => basicBlock(s, x, padded))).toEqual(convolutions(2).flat());
    const named = { ...same, stride: 2, shortcutName: 'skip' };
    expect(names((s, x) => basicBlock(s, x, named)).slice(-2)).toEqual(['skip.0.weight', 'skip.1.weight']);
  });

  it.each([
    [
      'basicBlock',
      (s: Scope, x: Value) => basicBlock(s, x, { inChannels: 6, outChannels: 10, stride: 2 }),
      10,
    ],
    [
      'bottleneck',
      (s: Scope, x: Value) =>
        bottleneck(s, x, { inChannels: 6, outChannels: 10, middleChannels: 3, stride: 2 }),
      10,
    ],
    [
      'padded bottleneck',
      (s: Scope, x: Value) => bottleneck(s, x, { inChannels: 6, outChannels: 8, stride: 2, shortcut: 'pad' }),
      8,
    ],
  ] as const)('%s halves odd sizes upwards, as it says', async (_, build, channels) => {
    const network = built(build);
    expect(network.outputs[0]!.shape).toEqual(['batch', channels, 4, 5]);
    const { y } = await run(network.toModel(), { x: imageTensor([2, 6, 7, 9]) });
    expect(y!.dims).toEqual([2, channels, 4, 5]);
  });

  it('a padded shortcut carries every second pixel to the middle channels', async () => {
    // With every filter zero and no shift, a block is its shortcut alone.
    const network = layerNetwork([2, 3, 3], (s, x) =>
      basicBlock(s, x, { inChannels: 2, outChannels: 5, stride: 2, shortcut: 'pad' }),
    );
    for (const [name, { dims }] of network.parameters) {
      if (name.includes('conv'))
        network.setTensor(name, Tensor.float32([...dims], new Float32Array(dims.reduce((a, b) => a * b, 1))));
    }
    const x = Tensor.float32(
      [1, 2, 3, 3],
      Float32Array.from({ length: 18 }, (_, i) => i + 1),
    );
    const { y } = await run(network.toModel(), { x });
    const nothing = [0, 0, 0, 0];
    expect(y!.toNumbers()).toEqual([...nothing, 1, 3, 7, 9, 10, 12, 16, 18, ...nothing, ...nothing]);
  });

  it('are sums of their parts', async () => {
    const x = imageTensor([2, 6, 7, 9]);
    const branch = { inChannels: 6, outChannels: 6, kernelSize: 3 };
    const parts = built((s, input) => {
      const first = relu(s, convNorm(s, input, ['conv1', 'bn1'], branch));
      const second = convNorm(s, first, ['conv2', 'bn2'], branch);
      return relu(s, s.op('Add', [input, second]));
    });
    const block = built((s, input) => basicBlock(s, input, { inChannels: 6, outChannels: 6 }));
    expectClose((await run(block.toModel(), { x })).y, (await run(parts.toModel(), { x })).y!);
  });
});
