import { WhittleError } from '../graph/errors.js';
import { BYTE_CHARACTERS, bytesOfCharacters, charactersOfText } from './byte-characters.js';
import type { TextTokenizer } from './text-tokenizer.js';

/**
 * How GPT-2 splits text before merging: words with the space before them, numbers, punctuation, spaces. Merges stay
 * within these pieces.
 */
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** A text cut at the borders that no merge crosses; the pieces joined are the text again. */
export const piecesOf = (text: string): string[] => text.match(PIECES) ?? [];

/** The part of Hugging Face's `tokenizer.json` that a byte-level BPE needs. */
export interface BpeDescription {
  readonly version: '1.0';
  readonly truncation: null;
  readonly padding: null;
  readonly normalizer: null;
  readonly post_processor: null;
  readonly pre_tokenizer: {
    readonly type: 'ByteLevel';
    readonly add_prefix_space: false;
    readonly use_regex: true;
  };
  readonly decoder: { readonly type: 'ByteLevel' };
  readonly model: {
    readonly type: 'BPE';
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (readonly [string, string])[];
  };
  readonly added_tokens: readonly never[];
}

/** Two tokens that become one. */
export type Merge = readonly [left: number, right: number];

/**
 * Byte-level byte-pair encoding as in GPT-2: ids 0 … 255 are the bytes in GPT-2's order, id 256 + k is what merge k
 * makes. Any text can be encoded and comes back exactly.
 * Sennrich, Haddow & Birch, ACL 2016; Radford et al., 2019.
 */
export class BpeTokenizer implements TextTokenizer {
  readonly vocabularySize: number;
  readonly merges: readonly Merge[];
  /** Each token as GPT-2 writes bytes: one character a byte. */
  private readonly tokens: readonly string[];
  private readonly ranks: ReadonlyMap<number, number>;
  private readonly cache: Map<string, readonly number[]> = new Map();

  /** @throws WhittleError for a merge of tokens that are not there yet */
  constructor(merges: readonly Merge[]) {
    const tokens = [...BYTE_CHARACTERS];
    const ranks = new Map<number, number>();
    for (const [k, [left, right]] of merges.entries()) {
      if (!(tokens[left] && tokens[right])) {
        throw new WhittleError(
          `merge ${k} joins tokens ${left} and ${right}, of which one does not exist yet`,
        );
      }
      ranks.set(keyOf(left, right), k);
      tokens.push(tokens[left] + tokens[right]);
    }
    this.merges = merges;
    this.tokens = tokens;
    this.ranks = ranks;
    this.vocabularySize = tokens.length;
  }

  encode(text: string): number[] {
    const ids: number[] = [];
    for (const piece of piecesOf(text)) for (const id of this.encodePiece(piece)) ids.push(id);
    return ids;
  }

  decode(ids: ArrayLike<number>): string {
    const characters = Array.from(ids, id => this.token(id));
    return new TextDecoder().decode(bytesOfCharacters(characters.join('')));
  }

  byteLength(id: number): number {
    return this.token(id).length;
  }

  /** As the content of a `tokenizer.json`, which transformers and transformers.js read. */
  toJSON(): BpeDescription {
    return {
      version: '1.0',
      truncation: null,
      padding: null,
      normalizer: null,
      post_processor: null,
      added_tokens: [],
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
      decoder: { type: 'ByteLevel' },
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(this.tokens.map((token, id) => [token, id])),
        merges: this.merges.map(([left, right]) => [this.tokens[left]!, this.tokens[right]!]),
      },
    };
  }

  /** @throws WhittleError where the description is not one that `toJSON` gave */
  static fromJSON({ model }: BpeDescription): BpeTokenizer {
    const id = (token: string): number => {
      const found = model?.vocab?.[token];
      if (found === undefined) throw new WhittleError(`the vocabulary lacks "${token}"`);
      return found;
    };
    const tokenizer = new BpeTokenizer((model?.merges ?? []).map(([left, right]) => [id(left), id(right)]));
    if (tokenizer.tokens.some((token, i) => id(token) !== i)) {
      throw new WhittleError('the vocabulary is not numbered in the order of its merges', {
        hint: 'Load tokenizers of other origin with huggingFaceTokenizer',
      });
    }
    return tokenizer;
  }

  private token(id: number): string {
    const token = this.tokens[id];
    if (token === undefined) throw new WhittleError(`token ${id} is not one of ${this.vocabularySize}`);
    return token;
  }

  private encodePiece(piece: string): readonly number[] {
    const known = this.cache.get(piece);
    if (known) return known;
    const ids = charactersOfText(piece).map(character => BYTE_CHARACTERS.indexOf(character));
    while (ids.length > 1) {
      let best = Number.POSITIVE_INFINITY;
      for (let i = 0; i + 1 < ids.length; i++) {
        best = Math.min(best, this.ranks.get(keyOf(ids[i]!, ids[i + 1]!)) ?? Number.POSITIVE_INFINITY);
      }
      if (best === Number.POSITIVE_INFINITY) break;
      const [left, right] = this.merges[best]!;
      mergePair(ids, left, right, 256 + best);
    }
    // Rare pieces are endless; common ones come early.
    if (this.cache.size < 100_000) this.cache.set(piece, ids);
    return ids;
  }
}

/** Replaces each `left`, `right` in a row by `merged`, from the left, in place. */
export function mergePair(ids: number[], left: number, right: number, merged: number): void {
  let to = 0;
  for (let from = 0; from < ids.length; from++) {
    if (ids[from] === left && ids[from + 1] === right) {
      ids[to++] = merged;
      from++;
    } else ids[to++] = ids[from]!;
  }
  ids.length = to;
}

/** A pair as one number. */
export const keyOf = (left: number, right: number): number => left * 2 ** 26 + right;
