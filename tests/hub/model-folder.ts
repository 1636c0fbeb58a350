import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Model } from '../../src/graph/model.js';
import { exportForInference } from '../../src/nn/export.js';
import { bert } from '../../src/nn/models/bert.js';
import { vit } from '../../src/nn/models/vit.js';
import { saveModel } from '../../src/onnx/save.node.js';

const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const WORDS =
  'a an the cat dog bird house tree runs sleeps sings sees big small red green in on under not very good bad film was is'.split(
    ' ',
  );
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'].flatMap(letter => [letter, `##${letter}`]);
const VOCABULARY = [...SPECIAL, ...new Set([...WORDS, ...LETTERS])];

export const TEXTS = [
  'the cat sleeps under the tree',
  'a big dog runs',
  'the film was very good',
  'the film was not good',
  'a small red bird sings in the house',
  'the bird sees an unknown zebra',
  'dog, cat and bird',
  'bad bad film',
];

/** A WordPiece tokenizer of about eighty tokens, as `tokenizer.json` describes one. */
const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: SPECIAL.map((content, id) => ({
    id,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  })),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(VOCABULARY.map((token, id) => [token, id])),
  },
};

const TEXT_FILES = {
  'tokenizer.json': tokenizer,
  'tokenizer_config.json': {
    tokenizer_class: 'BertTokenizer',
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    cls_token: '[CLS]',
    sep_token: '[SEP]',
    mask_token: '[MASK]',
    model_max_length: 64,
  },
};

const LABELS = { id2label: { 0: 'no', 1: 'maybe', 2: 'yes' }, label2id: { no: 0, maybe: 1, yes: 2 } };

const sizes = { vocabulary: VOCABULARY.length, features: 64, depth: 2, heads: 4, maxTokens: 64, dropout: 0 };

/** Small networks with random weights, as the folders that pipelines of transformers.js load. */
export const PIPELINES = {
  'feature-extraction': {
    model: () => exportForInference(bert({ ...sizes, seed: 1 })),
    files: {
      ...TEXT_FILES,
      'config.json': { model_type: 'bert', architectures: ['BertModel'], hidden_size: 64 },
    },
  },
  'text-classification': {
    model: () => exportForInference(bert({ ...sizes, seed: 2, head: 'classification', classes: 3 })),
    files: {
      ...TEXT_FILES,
      'config.json': { model_type: 'bert', architectures: ['BertForSequenceClassification'], ...LABELS },
    },
  },
  'image-classification': {
    model: () =>
      exportForInference(
        vit({ imageSize: 32, patchSize: 8, features: 64, depth: 2, heads: 4, classes: 3, seed: 3 }),
      ),
    files: {
      'config.json': { model_type: 'vit', architectures: ['ViTForImageClassification'], ...LABELS },
      'preprocessor_config.json': {
        image_processor_type: 'ViTImageProcessor',
        do_resize: true,
        size: { height: 32, width: 32 },
        resample: 2,
        do_rescale: true,
        rescale_factor: 1 / 255,
        do_normalize: true,
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.25, 0.25, 0.25],
      },
    },
  },
} as const;

/** Writes a model and its JSON files as a Hugging Face folder. */
export async function writeModelFolder(
  folder: string,
  model: Model,
  files: Readonly<Record<string, unknown>>,
  name = 'onnx/model.onnx',
): Promise<void> {
  await mkdir(join(folder, 'onnx'), { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    await writeFile(join(folder, file), JSON.stringify(content));
  }
  await saveModel(model, join(folder, name));
}

/** Runs a test in a folder of its own. */
export async function inTemporary<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'whittle-folder-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
