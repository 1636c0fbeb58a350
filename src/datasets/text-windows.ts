import { Tensor } from '../graph/tensor.js';
import type { Dataset, Field } from './dataset.js';
import type { SpecialTokens } from './special-tokens.js';
import { TokenWindows } from './tokens.js';

export interface TextWindowOptions {
  readonly special: SpecialTokens;
  /** Tokens of an example, the start token before it and the separator after it among them. */
  readonly tokens: number;
}

/**
 * A long text in pieces as BERT reads them, `[CLS] text [SEP]`: `input_ids`, `attention_mask` (all 1) and
 * `token_type_ids` (all 0), each (batch, tokens), int64. Make a guessing task of them with `maskTokens`.
 * @throws WhittleError where the text does not fill one piece
 */
export function textWindows(ids: ArrayLike<number>, { special, tokens }: TextWindowOptions): Dataset {
  const pieces = new TokenWindows(ids, { tokens: tokens - 2 });
  const field: Field = { dtype: 'int64', shape: [tokens] };
  return {
    length: pieces.length,
    fields: { input_ids: field, attention_mask: field, token_type_ids: field },
    async batch(indices) {
      const inner = (await pieces.batch(indices)).input_ids!.data() as BigInt64Array;
      const dims = [indices.length, tokens];
      const rows = new BigInt64Array(indices.length * tokens);
      for (let i = 0; i < indices.length; i++) {
        rows[i * tokens] = BigInt(special.start);
        rows.set(inner.subarray(i * (tokens - 2), (i + 1) * (tokens - 2)), i * tokens + 1);
        rows[(i + 1) * tokens - 1] = BigInt(special.separator);
      }
      return {
        input_ids: Tensor.from('int64', dims, rows),
        attention_mask: Tensor.from('int64', dims, new BigInt64Array(rows.length).fill(1n)),
        token_type_ids: Tensor.from('int64', dims, new BigInt64Array(rows.length)),
      };
    },
  };
}
