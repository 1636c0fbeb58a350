import { describe, expect, it } from 'vitest';
import { huggingFaceTokenizer, type Signature, type Tokenizer, textInputs } from '../../src/data/index.js';

const words: Tokenizer = { encode: text => text.split(' ').map(word => word.length), padId: 9 };
const bert: Signature = ['input_ids', 'attention_mask', 'token_type_ids'].map(name => ({
  name,
  dtype: 'int64',
  shape: ['batch', 'seq'],
}));

async function first(source: ReturnType<typeof textInputs>) {
  const sample = await source.sample!(0);
  return Object.fromEntries(Object.entries(sample).map(([name, t]) => [name, [t.dims, t.toNumbers()]]));
}

describe('textInputs', () => {
  it('fills the inputs of an encoder', async () => {
    expect(await first(textInputs(['a bc def'], bert, words))).toEqual({
      input_ids: [
        [1, 3],
        [1, 2, 3],
      ],
      attention_mask: [
        [1, 3],
        [1, 1, 1],
      ],
      token_type_ids: [
        [1, 3],
        [0, 0, 0],
      ],
    });
  });

  it('pads and cuts to a length that the model fixes', async () => {
    const fixed = bert.map(info => ({ ...info, shape: [1, 4] }));
    const source = textInputs(['a bc', 'a a a a a a'], fixed, words);
    expect(await first(source)).toMatchObject({
      input_ids: [
        [1, 4],
        [1, 2, 9, 9],
      ],
      attention_mask: [
        [1, 4],
        [1, 1, 0, 0],
      ],
    });
    expect(source.notes).toEqual([
      '1 of 2 texts were cut to 4 tokens.',
      'Shorter texts are padded to the 4 tokens that the model fixes.',
    ]);
  });

  it('gives a decoder positions and an empty cache', async () => {
    const decoder: Signature = [
      bert[0]!,
      { name: 'position_ids', dtype: 'int64', shape: ['batch', 'seq'] },
      { name: 'past_key_values.0.key', dtype: 'float32', shape: ['batch', 2, 'past_seq', 8] },
      { name: 'use_cache_branch', dtype: 'bool', shape: [1] },
    ];
    expect(await first(textInputs(['a bc'], decoder, words))).toEqual({
      input_ids: [
        [1, 2],
        [1, 2],
      ],
      position_ids: [
        [1, 2],
        [0, 1],
      ],
      'past_key_values.0.key': [[1, 2, 0, 8], []],
      use_cache_branch: [[1], [0]],
    });
  });

  it('takes the only whole-number input, whatever its name', async () => {
    const single: Signature = [{ name: 'tokens', dtype: 'int32', shape: ['t'] }];
    expect(await first(textInputs(['a bc'], single, words))).toEqual({ tokens: [[2], [1, 2]] });
  });

  it('says what text cannot fill', () => {
    const odd: Signature = [...bert, { name: 'pixels', dtype: 'float32', shape: [1, 3] }];
    expect(() => textInputs(['a'], odd, words)).toThrow(/what input "pixels" \(float32 \[1, 3\]\) should be/);
    expect(() => textInputs(['a'], [odd[3]!], words)).toThrow(/no input for token ids/);
    expect(() => textInputs(['a'], bert, { encode: () => [] })).toThrow(/"a" gives no tokens/);
  });
});

describe('huggingFaceTokenizer', () => {
  const description = {
    version: '1.0',
    added_tokens: ['[PAD]', '[CLS]', '[SEP]'].map((content, id) => ({ id, content, special: true })),
    normalizer: { type: 'Lowercase' },
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [],
      special_tokens: {},
    },
    decoder: null,
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: { '[PAD]': 0, '[CLS]': 1, '[SEP]': 2, '[UNK]': 3, small: 4, model: 5, '##s': 6 },
    },
  };

  it('encodes as the description says, special tokens included', async () => {
    const tokenizer = await huggingFaceTokenizer(description, { pad_token: '[PAD]' });
    expect(tokenizer.encode('Small models')).toEqual([1, 4, 5, 6, 2]);
    expect(tokenizer.encode('odd')).toEqual([1, 3, 2]);
    expect(tokenizer.padId).toBe(0);
  });

  it('names the file that is no tokenizer', async () => {
    await expect(huggingFaceTokenizer({ model: { type: 'Nothing' } }, {}, 't.json')).rejects.toThrow(
      /tokenizer is not understood.*t\.json/,
    );
    await expect(huggingFaceTokenizer(3, {}, 't.json')).rejects.toThrow(/JSON object/);
  });
});
