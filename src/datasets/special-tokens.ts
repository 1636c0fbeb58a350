import type { TextTokenizer } from './text-tokenizer.js';

/** Ids that stand for no text: what BERT writes `[PAD]`, `[CLS]`, `[SEP]` and `[MASK]`. */
export interface SpecialTokens {
  /** Fills up short texts. */
  readonly pad: number;
  /** Before the text. */
  readonly start: number;
  /** After each part of the text. */
  readonly separator: number;
  /** In the place of a token that is to be guessed. */
  readonly mask: number;
  /** How many ids there are with these. */
  readonly vocabulary: number;
}

/** Special tokens after the last id of a tokenizer that has none of its own. */
export const specialTokensAfter = ({ vocabularySize: n }: TextTokenizer): SpecialTokens => ({
  pad: n,
  start: n + 1,
  separator: n + 2,
  mask: n + 3,
  vocabulary: n + 4,
});
