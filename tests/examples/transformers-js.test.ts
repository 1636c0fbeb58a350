import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromSafetensors } from '../../examples/transformers-js/from-safetensors.js';
import { type Answer, ask, likeness } from '../../examples/transformers-js/pipeline.js';
import { bert } from '../../src/nn/models/bert.js';
import { saveWeightsFile } from '../../src/nn/weights.node.js';
import { whittle } from '../cli/capture.js';
import { inTemporary, PIPELINES, TEXTS } from '../hub/model-folder.js';

/** A folder as PyTorch's users publish theirs: configuration, tokenizer, safetensors, no ONNX. */
async function writePyTorchFolder(folder: string): Promise<void> {
  const { files } = PIPELINES['feature-extraction'];
  const vocabulary = Object.keys(files['tokenizer.json'].model.vocab).length;
  const config = {
    ...files['config.json'],
    hidden_act: 'gelu',
    vocab_size: vocabulary,
    intermediate_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    max_position_embeddings: 64,
    type_vocab_size: 2,
  };
  await mkdir(folder);
  for (const [name, content] of Object.entries({ ...files, 'config.json': config })) {
    await writeFile(join(folder, name), JSON.stringify(content));
  }
  const network = bert({
    vocabulary,
    features: 64,
    hiddenFeatures: 128,
    depth: 2,
    heads: 4,
    maxTokens: 64,
    seed: 7,
  });
  await saveWeightsFile(network, join(folder, 'model.safetensors'));
}

const features = (answers: readonly Answer[]): Float32Array[] => answers as Float32Array[];

describe('from PyTorch’s weights to a small folder of transformers.js', () => {
  it(
    'goes all the way round, and says what the original says',
    () =>
      inTemporary(async folder => {
        const [source, original, small] = ['source', 'original', 'small'].map(name => join(folder, name)) as [
          string,
          string,
          string,
        ];
        await writePyTorchFolder(source);
        expect(await fromSafetensors(source, original)).toEqual([]);
        const lines = join(folder, 'lines.txt');
        await writeFile(lines, [...TEXTS, ...TEXTS.map(text => `${text} again`)].join('\n'));
        const flags = ['--max-size', '40%', '--threads', '1', '--no-cache', '--no-report', '--samples', '8'];
        const { code, err } = await whittle([
          'compress',
          original,
          '-o',
          small,
          '--calibration',
          lines,
          ...flags,
        ]);
        expect({ code, err }).toEqual({ code: 0, err: '' });
        const before = features(await ask(original, 'feature-extraction', TEXTS));
        const after = features(await ask(small, 'feature-extraction', TEXTS));
        for (const [i, own] of before.entries()) {
          expect(own).toHaveLength(64);
          expect(likeness(own, own)).toBeCloseTo(1, 5);
          expect(likeness(own, after[i]!)).toBeGreaterThan(0.99);
        }
        expect(after).not.toEqual(before);
      }),
    240_000,
  );

  it('refuses what is no BERT, and weights that are not all there', () =>
    inTemporary(async folder => {
      const source = join(folder, 'source');
      await writePyTorchFolder(source);
      const config = JSON.parse(await readFile(join(source, 'config.json'), 'utf8'));
      const out = join(folder, 'out');
      await writeFile(join(source, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: 3 }));
      await expect(fromSafetensors(source, out)).rejects.toThrow(
        /lack 16 of the network's.*encoder\.layer\.2/,
      );
      await writeFile(join(source, 'config.json'), JSON.stringify({ ...config, model_type: 'gpt2' }));
      await expect(fromSafetensors(source, out)).rejects.toThrow(/not gpt2/);
    }));
});
