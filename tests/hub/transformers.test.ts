import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { env, pipeline, RawImage } from '@huggingface/transformers';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { cosine } from '../../src/compress/agreement.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { whittle } from '../cli/capture.js';
import { inTemporary, PIPELINES, TEXTS, writeModelFolder } from './model-folder.js';

beforeAll(() => {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.useFSCache = false;
});

const FAST = ['--threads', '1', '--no-cache', '--no-report', '--samples', '8'];

/** Noise of a few colours, as PNG files. */
async function writeImages(folder: string): Promise<string[]> {
  await mkdir(folder);
  return Promise.all(
    Array.from({ length: 8 }, async (_, seed) => {
      const data = Uint8Array.from({ length: 40 * 40 * 3 }, (_, i) => ((i * (seed + 3)) % 251) ^ (i >> 5));
      const path = join(folder, `${seed}.png`);
      await sharp(data, { raw: { width: 40, height: 40, channels: 3 } })
        .png()
        .toFile(path);
      return path;
    }),
  );
}

type Task = keyof typeof PIPELINES;

/** What a pipeline gives for some inputs, as one list of numbers for each. */
async function run(task: Task, root: string, name: string, inputs: readonly string[]): Promise<number[][]> {
  env.localModelPath = root;
  // The dtype comes from config.json: nothing is asked for.
  const run = await pipeline(task, name);
  try {
    const outputs: number[][] = [];
    for (const input of inputs) {
      const given = task === 'image-classification' ? await RawImage.read(input) : input;
      const options = task === 'feature-extraction' ? { pooling: 'mean' } : { top_k: 3 };
      const output = await (run as (input: unknown, options: object) => Promise<unknown>)(given, options);
      outputs.push(
        task === 'feature-extraction'
          ? Array.from((output as { data: Float32Array }).data)
          : (output as { label: string; score: number }[])
              .sort((a, b) => (a.label < b.label ? -1 : 1))
              .map(({ score }) => score),
      );
    }
    return outputs;
  } finally {
    await run.dispose();
  }
}

describe('a folder for transformers.js', () => {
  it.each(Object.keys(PIPELINES) as Task[])(
    '%s answers as before',
    task =>
      inTemporary(async folder => {
        // transformers.js remembers what it found under a name.
        const [original, small] = [`${task}-original`, `${task}-small`];
        const { model, files } = PIPELINES[task];
        await writeModelFolder(join(folder, original), model(), files);
        const images = task === 'image-classification';
        const calibration = join(folder, images ? 'images' : 'lines.txt');
        const inputs = images ? await writeImages(calibration) : TEXTS;
        // Twice the texts: half of them are held out.
        if (!images)
          await writeFile(calibration, [...TEXTS, ...TEXTS.map(text => `${text} again`)].join('\n'));
        const result = await whittle([
          'compress',
          join(folder, original),
          '-o',
          join(folder, small),
          '--calibration',
          calibration,
          '--max-size',
          '40%',
          ...FAST,
        ]);
        expect({ code: result.code, err: result.err }).toEqual({ code: 0, err: '' });
        expect(result.out).not.toContain('made up');
        const before = (await stat(join(folder, original, 'onnx/model.onnx'))).size;
        expect((await stat(join(folder, small, 'onnx/model_quantized.onnx'))).size).toBeLessThan(
          0.4 * before,
        );
        const config = JSON.parse(await readFile(join(folder, small, 'config.json'), 'utf8'));
        expect(config).toEqual({ ...files['config.json'], 'transformers.js_config': { dtype: 'q8' } });
        const expected = await run(task, folder, original, inputs);
        const actual = await run(task, folder, small, inputs);
        for (const [i, values] of expected.entries()) {
          expect(values.length).toBeGreaterThan(2);
          expect(cosine(values, actual[i]!)).toBeGreaterThan(0.99);
        }
        // The other file was loaded indeed.
        expect(actual).not.toEqual(expected);
      }),
    // The command line measures loading in six processes of their own; a busy machine takes its time.
    180_000,
  );

  it('keeps weights outside of the model where asked to, and says so in config.json', () =>
    inTemporary(async folder => {
      const { model, files } = PIPELINES['feature-extraction'];
      await writeModelFolder(join(folder, 'inside'), model(), files);
      const { openModelFolder, saveModelFolder } = await import('../../src/hub/index.node.js');
      const source = await openModelFolder(join(folder, 'inside'));
      const saved = await saveModelFolder(await loadModel(source.model), source, join(folder, 'outside'), {
        dtype: 'fp32',
        externalData: true,
      });
      expect(saved.files.map(path => path.slice(folder.length + 9))).toEqual([
        'tokenizer.json',
        'tokenizer_config.json',
        'config.json',
        'onnx/model.onnx_data',
        'onnx/model.onnx',
      ]);
      const config = JSON.parse(await readFile(join(folder, 'outside/config.json'), 'utf8'));
      expect(config['transformers.js_config']).toEqual({
        dtype: 'fp32',
        use_external_data_format: { 'model.onnx': 1 },
      });
      expect(await run('feature-extraction', folder, 'outside', TEXTS)).toEqual(
        await run('feature-extraction', folder, 'inside', TEXTS),
      );
    }));
});
