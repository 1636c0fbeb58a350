import { describe, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType } from '../../src/graph/value.js';
import { exportForInference } from '../../src/nn/export.js';
import { cifarResNet } from '../../src/nn/models/cifar-resnet.js';
import { gpt2 } from '../../src/nn/models/gpt2.js';
import { phi } from '../../src/nn/models/phi.js';
import { vit } from '../../src/nn/models/vit.js';
import type { Network, NetworkOptions } from '../../src/nn/network.js';
import { seedDropout } from '../../src/nn/seed-dropout.js';
import { expectClose } from './close.js';
import { fill, idTensor, imageTensor } from './golden/fill.js';
import { run } from './run.js';

const pixel_values = imageTensor([2, 3, 16, 16]);
const input_ids = idTensor('input_ids', [2, 7], 31);
const decoder = { vocabulary: 31, features: 16, depth: 1, heads: 2, maxTokens: 8, dropout: 0.2 };

const NETWORKS: readonly (readonly [string, Record<string, Tensor>, (options: NetworkOptions) => Network])[] =
  [
    ['a ResNet', { pixel_values }, o => cifarResNet({ depth: 8, imageSize: 16, ...o })],
    [
      'a ViT',
      { pixel_values },
      o =>
        vit({
          imageSize: 16,
          patchSize: 4,
          features: 16,
          heads: 2,
          depth: 1,
          classes: 3,
          dropout: 0.2,
          ...o,
        }),
    ],
    ['GPT-2', { input_ids }, o => gpt2({ ...decoder, ...o })],
    ['Phi', { input_ids }, o => phi({ ...decoder, features: 20, ...o })],
  ];

describe('on WebAssembly, as on the processor', () => {
  it.each(NETWORKS)('%s exported', async (_name, feeds, build) => {
    const model = exportForInference(fill(build({})));
    expectClose((await run(model, feeds, 'wasm')).logits, (await run(model, feeds)).logits!);
  });

  it.each(NETWORKS)('%s in training form, with the same dropout', async (_name, feeds, build) => {
    const network = fill(build({ training: true }));
    const dropouts = seedDropout(network.graph, network.graph.addInput('seed', tensorType('uint32', [])));
    const all = dropouts > 0 ? { ...feeds, seed: Tensor.from('uint32', [], Uint32Array.of(77)) } : feeds;
    if (dropouts === 0) network.graph.inputs.pop();
    const model = network.toModel();
    expectClose((await run(model, all, 'wasm')).logits, (await run(model, all)).logits!);
  });
});
