import type { TextTokenizer } from './text-tokenizer.js';

/** Tokens with the characters [start, end) of the text that each covers, counted as JavaScript counts (UTF-16). */
export interface LocatedTokens {
  readonly ids: Int32Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/**
 * Encodes a text and says where its tokens are. A token that holds only part of a character's bytes covers the whole
 * character.
 */
export function locateTokens(tokenizer: TextTokenizer, text: string): LocatedTokens {
  const ids = Int32Array.from(tokenizer.encode(text));
  const starts = new Uint32Array(ids.length);
  const ends = new Uint32Array(ids.length);
  const { before, after } = charactersAtBytes(text);
  let byte = 0;
  for (let i = 0; i < ids.length; i++) {
    starts[i] = before[byte]!;
    byte += tokenizer.byteLength(ids[i]!);
    ends[i] = after[byte]!;
  }
  return { ids, starts, ends };
}

/** For each byte offset of the UTF-8 text, the nearest boundary of a character at or before it, and at or after it. */
function charactersAtBytes(text: string): { before: Uint32Array; after: Uint32Array } {
  const size = new TextEncoder().encode(text).length;
  const before = new Uint32Array(size + 1);
  const after = new Uint32Array(size + 1);
  let byte = 0;
  let at = 0;
  for (const character of text) {
    const next = at + character.length;
    const length = bytesOf(character.codePointAt(0)!);
    before.fill(at, byte, byte + length);
    after.fill(next, byte + 1, byte + length + 1);
    byte += length;
    at = next;
  }
  before[size] = at;
  return { before, after };
}

/** A lone surrogate is encoded as U+FFFD: three bytes, as its own number would be. */
const bytesOf = (code: number): number => (code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4);
