import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { analyzeShapes } from '../../src/graph/infer/index.js';
import { Tensor } from '../../src/graph/tensor.js';
import { exportForInference } from '../../src/nn/export.js';
import { bert } from '../../src/nn/models/bert.js';
import { cifarResNet } from '../../src/nn/models/cifar-resnet.js';
import { gpt2 } from '../../src/nn/models/gpt2.js';
import { phi } from '../../src/nn/models/phi.js';
import { resNet } from '../../src/nn/models/resnet.js';
import { vgg } from '../../src/nn/models/vgg.js';
import { vit } from '../../src/nn/models/vit.js';
import type { Network, NetworkOptions } from '../../src/nn/network.js';
import { expectClose, type Numbers } from './close.js';
import { fill, idTensor, imageTensor } from './golden/fill.js';
import { run } from './run.js';

interface Golden {
  readonly state: readonly string[];
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, Numbers>>;
}

const GOLDEN: Readonly<Record<string, Golden>> = JSON.parse(
  readFileSync(new URL('golden/models.json', import.meta.url), 'utf8'),
);

const small = { vocabulary: 97, features: 32, depth: 2, heads: 4, maxTokens: 24 };
const tinyVit = { imageSize: 32, patchSize: 8, features: 48, depth: 2, heads: 3, classes: 10 };

/** The networks of make.py. */
const BUILDERS: Readonly<Record<string, (options: NetworkOptions) => Network>> = {
  'cifar-resnet-20-pad': o => cifarResNet({ depth: 20, ...o }),
  'cifar-resnet-20-conv': o => cifarResNet({ depth: 20, shortcut: 'conv', ...o }),
  'resnet-18': o => resNet({ depth: 18, imageSize: 64, classes: 10, ...o }),
  'resnet-50': o => resNet({ depth: 50, imageSize: 64, classes: 10, ...o }),
  'vgg-11': o => vgg({ depth: 11, width: 1 / 16, batchNorm: false, imageSize: 32, classes: 10, ...o }),
  'vgg-16-bn': o => vgg({ depth: 16, width: 1 / 16, classes: 10, ...o }),
  'vgg-19-bn-cifar': o => vgg({ depth: 19, width: 1 / 16, head: 'cifar', ...o }),
  'vit-token': o => vit({ ...tinyVit, ...o }),
  'vit-mean': o => vit({ ...tinyVit, pool: 'mean', ...o }),
  'bert-none': o => bert({ ...small, hiddenFeatures: 64, ...o }),
  'bert-mlm': o => bert({ ...small, hiddenFeatures: 64, head: 'mlm', ...o }),
  'bert-span': o => bert({ ...small, hiddenFeatures: 64, head: 'span', ...o }),
  'bert-classification': o => bert({ ...small, hiddenFeatures: 64, head: 'classification', ...o }),
  gpt2: o => gpt2({ ...small, ...o }),
  phi: o => phi({ ...small, features: 40, heads: 2, hiddenFeatures: 64, ...o }),
};

function feeds({ inputs }: Golden): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, dims] of Object.entries(inputs)) {
    if (name === 'pixel_values') tensors[name] = imageTensor(dims);
    else if (name === 'attention_mask') {
      tensors[name] = Tensor.int64([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0], dims);
    } else tensors[name] = idTensor(name, dims, name === 'token_type_ids' ? 2 : 97);
  }
  return tensors;
}

describe('models give what PyTorch gives', () => {
  it('all of them', () => expect(Object.keys(BUILDERS)).toEqual(Object.keys(GOLDEN)));

  it.each(Object.keys(GOLDEN))('%s', async name => {
    const golden = GOLDEN[name]!;
    const network = fill(BUILDERS[name]!({}));
    const names = [...network.parameters.keys(), ...network.aliases.keys()];
    expect(names.sort()).toEqual([...golden.state].sort());
    expect(analyzeShapes(network.toModel()).problems).toEqual([]);
    for (const { name: output, shape } of network.outputs) {
      const dims = shape!.map((dim, i) =>
        dim === 'batch' || dim === 'tokens' ? golden.outputs[output]!.dims[i] : dim,
      );
      expect(shape![0]).toBe('batch');
      expect(dims).toEqual(golden.outputs[output]!.dims);
    }
    const outputs = await run(exportForInference(network), feeds(golden));
    expect(Object.keys(outputs)).toEqual(Object.keys(golden.outputs));
    for (const [output, expected] of Object.entries(golden.outputs)) expectClose(outputs[output], expected);
  });

  // Dropout is random, so that only the shape can be compared; BatchNorm alone changes the numbers.
  it.each(Object.keys(GOLDEN).filter(name => !/^resnet/.test(name)))(
    '%s runs in training form',
    async name => {
      const golden = GOLDEN[name]!;
      const network = fill(BUILDERS[name]!({ training: true }));
      const outputs = await run(network.toModel(), feeds(golden));
      for (const [output, { dims }] of Object.entries(golden.outputs)) {
        expect(outputs[output]!.dims).toEqual(dims);
        expect(outputs[output]!.toFloat32().every(Number.isFinite)).toBe(true);
      }
    },
  );
});
