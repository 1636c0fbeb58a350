import { WhittleError } from '../graph/errors.js';
import { Tensor } from '../graph/tensor.js';
import { type Batch, checkIndices, type Dataset, type Field } from './dataset.js';

export interface TokenWindowOptions {
  /** Tokens of an example. */
  readonly tokens: number;
  /** From the start of one example to that of the next; default `tokens`, so that they do not overlap. */
  readonly stride?: number;
}

/**
 * Windows of a long text, to train a language model: `input_ids` (batch, tokens) and `labels` (batch, tokens), the
 * token that follows each, both int64.
 */
export class TokenWindows implements Dataset {
  readonly length: number;
  readonly fields: Readonly<Record<'input_ids' | 'labels', Field>>;
  private readonly ids: ArrayLike<number>;
  private readonly tokens: number;
  private readonly stride: number;

  /** @throws WhittleError for sizes that are not whole, and where the text does not fill one window */
  constructor(ids: ArrayLike<number>, { tokens, stride = tokens }: TokenWindowOptions) {
    for (const [name, value] of Object.entries({ tokens, stride })) {
      if (Number.isInteger(value) && value > 0) continue;
      throw new WhittleError(`${name} must be positive and whole, not ${value}`);
    }
    if (ids.length <= tokens) {
      throw new WhittleError(
        `a text of ${ids.length} tokens does not fill a window of ${tokens} and the next`,
      );
    }
    this.ids = ids;
    this.tokens = tokens;
    this.stride = stride;
    this.length = Math.floor((ids.length - 1 - tokens) / stride) + 1;
    const field: Field = { dtype: 'int64', shape: [tokens] };
    this.fields = { input_ids: field, labels: field };
  }

  async batch(indices: ArrayLike<number>): Promise<Batch> {
    checkIndices(indices, this.length);
    const dims = [indices.length, this.tokens];
    const gather = (offset: number): Tensor => {
      const data = new BigInt64Array(indices.length * this.tokens);
      for (let i = 0; i < data.length; i++) {
        const start = indices[Math.floor(i / this.tokens)]! * this.stride;
        data[i] = BigInt(this.ids[start + (i % this.tokens) + offset]!);
      }
      return Tensor.from('int64', dims, data);
    };
    return { input_ids: gather(0), labels: gather(1) };
  }
}
