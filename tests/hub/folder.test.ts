import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compressTargets } from '../../src/cli/compress-targets.js';
import { locateModel } from '../../src/cli/model-source.js';
import type { Terminal } from '../../src/cli/terminal.js';
import { baseName, type HubDtype } from '../../src/hub/dtypes.js';
import {
  folderOf,
  openModelFolder,
  readPreprocessing,
  type SaveFolderOptions,
  saveModelFolder,
  selectFiles,
  withModelFile,
} from '../../src/hub/index.node.js';
import { smallModel, whittle } from '../cli/capture.js';
import { inTemporary, PIPELINES, writeModelFolder } from './model-folder.js';

const FAST = ['--threads', '1', '--no-cache', '--no-report', '--samples', '3', '--method', 'quantize'];
const select = (files: string[], wanted?: string) =>
  selectFiles(files, { wanted, place: 'here', how: path => `here/${path}` });

describe('selectFiles', () => {
  it('takes onnx/model.onnx first, and what belongs to it', () => {
    expect(
      select([
        'config.json',
        'README.md',
        'other.json',
        'onnx/model.onnx',
        'onnx/model.onnx_data',
        'onnx/model.onnx_data_1',
        'onnx/model_q4.onnx',
        'onnx/model_q4.onnx_data',
        'model.onnx',
        'sub/config.json',
      ]),
    ).toEqual({
      model: 'onnx/model.onnx',
      external: ['onnx/model.onnx_data', 'onnx/model.onnx_data_1'],
      sidecars: ['config.json'],
    });
  });

  it('takes the only one, or asks', () => {
    expect(select(['net.onnx', 'net.data']).external).toEqual(['net.data']);
    expect(() => select(['a.onnx', 'b.onnx'])).toThrow(
      /2 ONNX models.*Say which: here\/a\.onnx, here\/b\.onnx/,
    );
    expect(() => select([])).toThrow(/no ONNX model/);
    expect(() => select(['model.json', 'group1-shard1of1.bin'])).toThrow(/only TensorFlow\.js.*tf2onnx/);
  });
});

describe('openModelFolder', () => {
  it('finds the tokenizer and what images need', () =>
    inTemporary(async folder => {
      const { model, files } = PIPELINES['image-classification'];
      await writeModelFolder(folder, model(), { ...files, 'tokenizer.json': {} });
      const opened = await openModelFolder(folder);
      expect(opened).toMatchObject({
        model: join(folder, 'onnx', 'model.onnx'),
        tokenizer: join(folder, 'tokenizer.json'),
        preprocessing: {
          image: { height: 32, width: 32, fit: 'stretch', mean: [0.5, 0.5, 0.5], scale: 1 / 255 },
        },
      });
      // A file in it belongs to it.
      expect((await folderOf(opened.model))?.tokenizer).toBe(opened.tokenizer);
      expect(await folderOf(join(folder, 'nowhere', 'x.onnx'))).toBeUndefined();
    }));
});

describe('readPreprocessing', () => {
  it.each([
    [
      {
        crop_size: { height: 224, width: 224 },
        do_center_crop: true,
        size: { shortest_edge: 256 },
        image_mean: [0, 0, 0],
      },
      { image: { height: 224, width: 224, fit: 'crop', scale: 1 / 255, mean: [0, 0, 0] } },
    ],
    [
      { image_processor_type: 'X', size: 384, do_normalize: false, do_rescale: false },
      { image: { height: 384, width: 384, fit: 'stretch', scale: 1, mean: [0], std: [1] } },
    ],
    [
      { feature_extractor_type: 'Wav2Vec2FeatureExtractor', sampling_rate: 16000, do_normalize: true },
      { samplingRate: 16000, normalizeAudio: true },
    ],
    [{ chat: 1 }, {}],
    ['nonsense', {}],
  ])('%j', (config, expected) => expect(readPreprocessing(config)).toEqual(expected));
});

describe('withModelFile', () => {
  const file = { base: 'model', fileName: 'model_quantized.onnx', dtype: 'q8', externalFiles: 0 } as const;
  it('keeps what is there', () => {
    const config = { model_type: 'x', 'transformers.js_config': { kv_cache_dtype: 'float16', dtype: 'q4' } };
    expect(withModelFile(config, file)).toEqual({
      model_type: 'x',
      'transformers.js_config': { kv_cache_dtype: 'float16', dtype: 'q8' },
    });
  });

  it('lets the parts of one model stand side by side', () => {
    const encoder = {
      ...file,
      base: 'encoder_model',
      fileName: 'encoder_model_q4.onnx',
      dtype: 'q4',
    } as const;
    const decoder = {
      ...file,
      base: 'decoder',
      fileName: 'decoder_quantized.onnx',
      externalFiles: 2,
    } as const;
    expect(withModelFile(withModelFile({}, encoder), decoder)).toEqual({
      'transformers.js_config': {
        dtype: { encoder_model: 'q4', decoder: 'q8' },
        use_external_data_format: { 'decoder_quantized.onnx': 2 },
      },
    });
  });

  it.each([
    ['onnx/model.onnx', 'model'],
    ['model_q4f16.onnx', 'model'],
    ['a/decoder_model_merged_quantized.onnx', 'decoder_model_merged'],
  ])('%s is %s', (path, base) => expect(baseName(path)).toBe(base));
});

describe('whittle compress FOLDER', () => {
  const files = { 'config.json': { model_type: 'x' }, 'vocab.txt': 'a' };
  const made = (body: (folder: string, source: string) => Promise<void>) =>
    inTemporary(async folder => {
      await writeModelFolder(join(folder, 'in'), smallModel(), files);
      await body(folder, join(folder, 'in'));
    });

  it('puts parts into one folder, and replaces nothing unasked', () =>
    made(async (folder, source) => {
      const out = join(folder, 'out');
      await writeModelFolder(source, smallModel(), {}, 'onnx/decoder.onnx');
      const save = async (path: string, options: SaveFolderOptions = {}) =>
        saveModelFolder(smallModel(), await openModelFolder(source, path), out, options);
      await save('onnx/model.onnx');
      await save('onnx/decoder.onnx', { dtype: 'int8' });
      const config = JSON.parse(await readFile(join(out, 'config.json'), 'utf8'));
      expect(config['transformers.js_config']).toEqual({ dtype: { model: 'q8', decoder: 'int8' } });
      expect((await readdir(join(out, 'onnx'))).sort()).toEqual([
        'decoder_int8.onnx',
        'model_quantized.onnx',
      ]);
      await expect(save('onnx/model.onnx')).rejects.toThrow(/exists already.*model_quantized\.onnx/);
      await writeFile(join(out, 'vocab.txt'), 'b');
      await expect(save('onnx/model.onnx', { dtype: 'q4' })).rejects.toThrow(
        /another model’s configuration.*vocab\.txt/,
      );
      await save('onnx/model.onnx', { dtype: 'q4', force: true });
      expect(await readFile(join(out, 'vocab.txt'), 'utf8')).toBe('"a"');
    }));

  it('never writes into the input’s folder, nor over a file', () =>
    made(async (folder, source) => {
      expect((await whittle(['compress', source, '-o', source, ...FAST])).err).toMatch(
        /into the input’s folder/,
      );
      await writeFile(join(folder, 'file'), '');
      expect((await whittle(['compress', source, '-o', join(folder, 'file'), ...FAST])).err).toMatch(
        /a file, not a folder/,
      );
    }));

  it('makes a file where one is asked for, a folder of a folder', () =>
    made(async (folder, source) => {
      const terminal = { err: () => {} } as unknown as Terminal;
      const targets = async (model: string, output: string, dtype?: HubDtype) =>
        compressTargets(await locateModel(model, {}, terminal), {
          output: join(folder, output),
          ...(dtype && { dtype }),
        });
      const small = join(folder, 'small');
      expect(await targets(source, 'small.onnx')).toEqual({
        model: `${small}.onnx`,
        report: `${small}.onnx.html`,
      });
      await expect(targets(source, 'small.onnx', 'q4')).rejects.toThrow(/--dtype names a file in a folder/);
      expect(await targets(source, 'small', 'q4')).toEqual({
        model: join(small, 'onnx', 'model_q4.onnx'),
        folder: small,
        report: `${small}.html`,
      });
      // A file in a folder stays a file, unless the output is a folder.
      const file = join(source, 'onnx', 'model.onnx');
      expect(await targets(file, 'small')).toEqual({ model: small, report: `${small}.html` });
      expect(await targets(file, 'small/')).toMatchObject({ folder: small });
    }));

  it('refuses a tokenizer that does not fit the model', () =>
    made(async folder => {
      const { model, files } = PIPELINES['feature-extraction'];
      const vocab = { ...files['tokenizer.json'].model.vocab, extraordinary: 5000 };
      const tokenizer = { ...files['tokenizer.json'], model: { ...files['tokenizer.json'].model, vocab } };
      await writeModelFolder(join(folder, 'bert'), model(), { ...files, 'tokenizer.json': tokenizer });
      await writeFile(join(folder, 'lines.txt'), 'the cat\nthe dog\n');
      const { code, err } = await whittle([
        'sensitivity',
        join(folder, 'bert'),
        '--calibration',
        join(folder, 'lines.txt'),
        '--no-cache',
      ]);
      expect(code).toBe(1);
      expect(err).toMatch(
        /tokenizer does not fit the model: it has token ids up to 5000, the embedding table \d+ rows/,
      );
    }));

  it('says what to do with a TensorFlow.js model', () =>
    made(async folder => {
      await mkdir(join(folder, 'tfjs'));
      const json = join(folder, 'tfjs', 'model.json');
      const shard = join(folder, 'tfjs', 'group1-shard1of1.bin');
      await writeFile(json, '{"format":"graph-model","generatedBy":"2.1","modelTopology":{}}');
      await writeFile(shard, new Uint8Array(100));
      for (const path of [json, shard, join(folder, 'tfjs')]) {
        expect((await whittle(['inspect', path])).err).toMatch(/TensorFlow\.js.*tf2onnx\.convert --tfjs/);
      }
    }));
});
