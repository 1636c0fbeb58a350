import { WhittleError } from '../graph/errors.js';

/** Turns text into token ids; any library's tokenizer can stand behind it. */
export interface Tokenizer {
  /** Token ids with the special tokens that the model expects around them. */
  encode(text: string): number[];
  /** The text of token ids, special tokens left out; for showing inputs. */
  decode?(ids: number[]): string;
  /** The id that fills up short texts where a length is fixed; default 0. */
  readonly padId?: number;
  /** One more than the largest token id there is. */
  readonly vocabulary?: number;
}

/**
 * A tokenizer from the content of Hugging Face's `tokenizer.json` (and, where there is one, `tokenizer_config.json`),
 * run by `@huggingface/tokenizers`.
 * @throws WhittleError where the package is not installed or the description is not understood
 */
export async function huggingFaceTokenizer(
  description: unknown,
  config: unknown = {},
  file = 'tokenizer.json',
): Promise<Tokenizer> {
  const library = await import('@huggingface/tokenizers').catch((cause: unknown) => {
    throw new WhittleError('the package @huggingface/tokenizers is not installed', {
      cause,
      hint: 'Run: npm install @huggingface/tokenizers',
    });
  });
  if (typeof description !== 'object' || description === null || typeof config !== 'object' || !config) {
    throw new WhittleError('the tokenizer is not described by a JSON object', { file });
  }
  try {
    const tokenizer = new library.Tokenizer(description, config);
    const padToken = (config as { pad_token?: unknown }).pad_token;
    const named = [padToken, '[PAD]', '<pad>'].filter(token => typeof token === 'string');
    const padId = named.map(token => tokenizer.token_to_id(token)).find(id => id !== undefined) ?? 0;
    return {
      encode: text => tokenizer.encode(text).ids,
      decode: ids => tokenizer.decode(ids, { skip_special_tokens: true }),
      padId,
      vocabulary: 1 + [...tokenizer.get_vocab(true).values()].reduce((a, b) => Math.max(a, b), -1),
    };
  } catch (cause) {
    throw new WhittleError(`the tokenizer is not understood: ${(cause as Error).message}`, {
      file,
      cause,
      hint: 'It must be a tokenizer.json as Hugging Face writes it',
    });
  }
}
