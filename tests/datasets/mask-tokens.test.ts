import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../src/datasets/dataset.js';
import { maskedDataset, maskTokens, NOT_MASKED } from '../../src/datasets/mask-tokens.js';
import { specialTokensAfter } from '../../src/datasets/special-tokens.js';
import { byteTokenizer } from '../../src/datasets/text-tokenizer.js';
import { textWindows } from '../../src/datasets/text-windows.js';
import { Tensor } from '../../src/graph/tensor.js';
import { Random } from '../../src/random/random.js';
import { Loader } from '../../src/train/data/loader.js';

const special = specialTokensAfter(byteTokenizer);
const numbers = (batch: Batch, name: string): number[] =>
  Array.from(batch[name]!.data() as BigInt64Array, Number);
const text = Uint8Array.from({ length: 5000 }, (_, i) => (7 * i) % 251);
const pieces = textWindows(text, { special, tokens: 42 });

describe('masking as in BERT', () => {
  it('hides 15%, and of these 80% by the mask token, 10% by others', () => {
    const tokens = 1000;
    const rows = 40;
    const ids = new BigInt64Array(rows * tokens).fill(5n);
    const batch = { input_ids: Tensor.from('int64', [rows, tokens], ids) };
    const hidden = maskTokens({ special })(batch, new Random(1, 'batch 0'));
    const [after, labels] = [numbers(hidden, 'input_ids'), numbers(hidden, 'labels')];
    for (let row = 0; row < rows; row++) {
      const chosen = labels.slice(row * tokens, (row + 1) * tokens).filter(label => label !== NOT_MASKED);
      expect(chosen).toEqual(Array(150).fill(5));
    }
    const seen = after.filter((_, i) => labels[i] !== NOT_MASKED);
    const share = (test: (id: number) => boolean) => seen.filter(test).length / seen.length;
    // 6000 draws: four standard deviations of a share are at most 0.021.
    expect(Math.abs(share(id => id === special.mask) - 0.8)).toBeLessThan(0.021);
    expect(Math.abs(share(id => id === 5) - 0.1)).toBeLessThan(0.016);
    expect(Math.abs(share(id => id !== special.mask && id !== 5) - 0.1)).toBeLessThan(0.016);
    expect(after.filter((_, i) => labels[i] === NOT_MASKED).every(id => id === 5)).toBe(true);
  });

  it('leaves special tokens and the given batch alone, and can be undone by the labels', () => {
    const row = fc.array(fc.integer({ min: 0, max: special.separator }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(row, fc.integer(), (ids, seed) => {
        const batch = { input_ids: Tensor.from('int64', [1, 12], BigInt64Array.from(ids, BigInt)) };
        const hidden = maskTokens({ special })(batch, new Random(seed));
        const [after, labels] = [numbers(hidden, 'input_ids'), numbers(hidden, 'labels')];
        expect(numbers(batch, 'input_ids')).toEqual(ids);
        expect(after.map((id, i) => (labels[i] === NOT_MASKED ? id : labels[i]))).toEqual(ids);
        const ordinary = ids.filter(id => id < special.pad).length;
        const wanted = ordinary === 0 ? 0 : Math.max(1, Math.round(0.15 * ordinary));
        expect(labels.filter(label => label !== NOT_MASKED)).toHaveLength(wanted);
        for (const label of labels) expect(label).toBeLessThan(special.pad);
      }),
    );
  });

  it('depends on the batch’s number alone, so that a resumed loader masks the same', async () => {
    const options = { batchSize: 8, seed: 3, transforms: [maskTokens({ special })] };
    const loader = new Loader(pieces, options);
    for (let i = 0; i < 20; i++) await loader.next();
    const { state } = loader;
    const next = await loader.next();
    const resumed = new Loader(pieces, options);
    resumed.restore(state);
    const again = await resumed.next();
    for (const name of ['input_ids', 'labels']) expect(numbers(again, name)).toEqual(numbers(next, name));
  });

  it('for evaluation is the same at every look, in any batch', async () => {
    const fixed = maskedDataset(pieces, { special, seed: 9 });
    expect(fixed.fields.labels).toEqual({ dtype: 'int64', shape: [42] });
    const [whole, part] = [await fixed.batch([4, 7, 1]), await fixed.batch([7])];
    for (const name of ['input_ids', 'labels']) {
      expect(numbers(part, name)).toEqual(numbers(whole, name).slice(42, 84));
    }
    const other = await maskedDataset(pieces, { special, seed: 10 }).batch([7]);
    expect(numbers(other, 'labels')).not.toEqual(numbers(part, 'labels'));
    expect(() => maskTokens({ special, rate: 0 })({ input_ids: part.input_ids! }, new Random(0))).toThrow(
      /0/,
    );
  });

  it('of pieces of text between a start token and a separator', async () => {
    const batch = await pieces.batch([1]);
    expect(numbers(batch, 'input_ids')).toEqual([special.start, ...text.slice(40, 80), special.separator]);
    expect(numbers(batch, 'attention_mask')).toEqual(Array(42).fill(1));
    expect(numbers(batch, 'token_type_ids')).toEqual(Array(42).fill(0));
  });
});
