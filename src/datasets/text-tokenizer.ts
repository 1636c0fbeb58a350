import type { Tokenizer } from '../data/tokenizer.js';

/** A tokenizer whose ids turn back into text. */
export interface TextTokenizer extends Tokenizer {
  /** How many ids there are, from 0. */
  readonly vocabularySize: number;
  /** Bytes that are no UTF-8 (a character cut in two) become U+FFFD. */
  decode(ids: ArrayLike<number>): string;
  /** How many bytes of UTF-8 a token stands for. */
  byteLength(id: number): number;
}

/** The 256 bytes of UTF-8 as tokens: no vocabulary to learn or to ship. */
export const byteTokenizer: TextTokenizer = {
  vocabularySize: 256,
  encode: text => [...new TextEncoder().encode(text)],
  decode: ids => new TextDecoder().decode(Uint8Array.from(ids)),
  byteLength: () => 1,
};
