import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { exportForInference } from '../../src/nn/export.js';
import { bert } from '../../src/nn/models/bert.js';
import { cifarResNet } from '../../src/nn/models/cifar-resnet.js';
import { gpt2 } from '../../src/nn/models/gpt2.js';
import { mlp } from '../../src/nn/models/mlp.js';
import { loadWeights, weightsOf } from '../../src/nn/weights.js';
import { loadWeightsFile, saveWeightsFile } from '../../src/nn/weights.node.js';
import { expectClose } from './close.js';
import { idTensor } from './golden/fill.js';
import { run } from './run.js';

const tiny = { vocabulary: 11, features: 8, depth: 1, heads: 2, maxTokens: 6 };

describe('weights', () => {
  it('come back from a file, running statistics included', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'whittle-weights-')), 'net.safetensors');
    const network = cifarResNet({ depth: 8, width: 0.25, seed: 5, training: true });
    network.setTensor('bn1.running_mean', Tensor.float32([4], [1, 2, 3, 4]));
    await saveWeightsFile(network, path);
    const other = cifarResNet({ depth: 8, width: 0.25 });
    const report = loadWeightsFile(other, path);
    expect(report.missing).toEqual([]);
    expect(report.unexpected).toEqual([]);
    for (const name of network.parameters.keys()) {
      expect(other.tensor(name).toFloat32(), name).toEqual(network.tensor(name).toFloat32());
    }
  });

  it('may come from a checkpoint with or without the head, with old names, and in half precision', () => {
    const network = bert({ ...tiny, head: 'mlm' });
    const source = bert({ ...tiny, seed: 3 });
    const tensors = new Map<string, Tensor>();
    for (const [name, tensor] of weightsOf(source)) {
      const old = name
        .replace('LayerNorm.weight', 'LayerNorm.gamma')
        .replace('LayerNorm.bias', 'LayerNorm.beta');
      tensors.set(old, Tensor.fromNumbers('float16', tensor.dims, tensor.toFloat32()));
    }
    expect(() => loadWeights(network, tensors)).toThrow(
      /lack 5 of the network's \d+ parameters.*"cls.predictions.*They have pooler/,
    );
    const report = loadWeights(network, tensors, { strict: false });
    expect(report.missing.every(name => name.startsWith('cls.'))).toBe(true);
    expect(report.unexpected).toEqual(['pooler.dense.weight', 'pooler.dense.bias']);
    const table = network.tensor('bert.embeddings.word_embeddings.weight');
    expect(table.dtype).toBe('float32');
    expect(table.toNumbers()).toEqual(tensors.get('embeddings.word_embeddings.weight')!.toNumbers());

    const plain = bert(tiny);
    const prefixed = new Map([...weightsOf(source)].map(([name, tensor]) => [`bert.${name}`, tensor]));
    expect(loadWeights(plain, prefixed).missing).toEqual([]);
  });

  it('know shared tensors by all their names', () => {
    const network = gpt2(tiny);
    const tensors = weightsOf(gpt2({ ...tiny, seed: 1 }));
    expect([...tensors.keys()]).not.toContain('lm_head.weight');
    tensors.set('lm_head.weight', tensors.get('transformer.wte.weight')!);
    expect(loadWeights(network, tensors).unexpected).toEqual([]);
    expect(network.parameter('lm_head.weight').name).toBe('transformer.wte.weight');
  });

  it.each(['gpt2', 'bert-mlm'] as const)(
    'of %s as transformers saves it give the outputs of there',
    async kind => {
      const sizes = { vocabulary: 61, features: 16, depth: 1, heads: 2, maxTokens: 12 };
      const network = kind === 'gpt2' ? gpt2(sizes) : bert({ ...sizes, hiddenFeatures: 32, head: 'mlm' });
      const file = new URL(`golden/${kind}.safetensors`, import.meta.url).pathname;
      const report = loadWeightsFile(network, file);
      expect([report.missing, report.unexpected]).toEqual([[], []]);
      const dims = [2, 9];
      const feeds = {
        input_ids: idTensor('input_ids', dims, 61),
        ...(kind === 'bert-mlm' && {
          token_type_ids: idTensor('token_type_ids', dims, 2),
          attention_mask: Tensor.int64(Array(18).fill(1), dims),
        }),
      };
      const { logits } = await run(exportForInference(network), feeds);
      const golden = JSON.parse(readFileSync(new URL('golden/checkpoints.json', import.meta.url), 'utf8'));
      expectClose(logits, golden[kind]);
    },
  );

  it('of another shape are refused, naming parameter and shapes', () => {
    const tensors = weightsOf(mlp({ widths: [4, 3] }));
    expect(() => loadWeights(mlp({ widths: [4, 2] }), tensors)).toThrow(/\[2, 4\].*\[3, 4\].*"0.weight"/);
  });

  it('of a dtype that needs a scale are refused', () => {
    const network = mlp({ widths: [1, 1] });
    const quantized = new Map([['0.weight', Tensor.from('int8', [1, 1], Int8Array.of(3))]]);
    expect(() => loadWeights(network, quantized, { strict: false })).toThrow(
      /float32.*int8.*"0.weight".*quantized/,
    );
  });

  it('can be renamed and left out', () => {
    const tensors = new Map([
      ['layer.weight', Tensor.float32([1, 2], [5, 6])],
      ['layer.bias', Tensor.float32([1], [7])],
      ['optimizer', Tensor.scalar(0)],
    ]);
    const network = mlp({ widths: [2, 1] });
    const rename = (name: string) => (name.startsWith('layer.') ? name.replace('layer', '0') : undefined);
    expect(loadWeights(network, tensors, { rename }).unexpected).toEqual(['optimizer']);
    expect(network.tensor('0.weight').toNumbers()).toEqual([5, 6]);
  });
});
