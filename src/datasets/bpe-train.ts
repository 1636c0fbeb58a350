import { WhittleError } from '../graph/errors.js';
import { BpeTokenizer, keyOf, type Merge, mergePair, piecesOf } from './bpe.js';
import { BYTE_CHARACTERS, charactersOfText } from './byte-characters.js';

/** A piece of text that occurs `count` times, as tokens. */
interface Word {
  readonly ids: number[];
  readonly count: number;
}

/**
 * Learns a byte-level BPE: merges the commonest pair of neighbouring tokens, again and again, until the vocabulary has
 * the wanted size or no pair occurs twice. Of equally common pairs the one with the smaller ids is merged, so that the
 * same text gives the same tokenizer.
 * @param vocabularySize at least 256
 * @throws WhittleError for a smaller size
 */
export function trainBpe(texts: Iterable<string>, vocabularySize: number): BpeTokenizer {
  if (vocabularySize < 256)
    throw new WhittleError(`a vocabulary of ${vocabularySize} lacks some bytes; 256 are needed`);
  const words = countWords(texts);
  const counts = new Map<number, number>();
  const places = new Map<number, Set<Word>>();
  for (const word of words) addPairs(word, counts, places);

  const merges: Merge[] = [];
  while (256 + merges.length < vocabularySize) {
    const best = commonest(counts);
    if (best === undefined) break;
    const [left, right] = [Math.floor(best / 2 ** 26), best % 2 ** 26];
    const merged = 256 + merges.length;
    merges.push([left, right]);
    for (const word of [...places.get(best)!]) {
      removePairs(word, counts, places);
      mergePair(word.ids, left, right, merged);
      addPairs(word, counts, places);
    }
  }
  return new BpeTokenizer(merges);
}

function countWords(texts: Iterable<string>): Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const piece of piecesOf(text)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  const idOf = new Map(BYTE_CHARACTERS.map((character, id) => [character, id]));
  return [...counts].map(([piece, count]) => ({
    ids: charactersOfText(piece).map(c => idOf.get(c)!),
    count,
  }));
}

function addPairs(word: Word, counts: Map<number, number>, places: Map<number, Set<Word>>): void {
  const { ids, count } = word;
  for (let i = 0; i + 1 < ids.length; i++) {
    const key = keyOf(ids[i]!, ids[i + 1]!);
    counts.set(key, (counts.get(key) ?? 0) + count);
    const set = places.get(key);
    if (set) set.add(word);
    else places.set(key, new Set([word]));
  }
}

function removePairs(word: Word, counts: Map<number, number>, places: Map<number, Set<Word>>): void {
  const { ids, count } = word;
  for (let i = 0; i + 1 < ids.length; i++) {
    const key = keyOf(ids[i]!, ids[i + 1]!);
    const left = counts.get(key)! - count;
    if (left > 0) counts.set(key, left);
    else counts.delete(key);
    places.get(key)!.delete(word);
  }
}

/** The pair with the largest count of at least 2; `undefined` where there is none. */
function commonest(counts: ReadonlyMap<number, number>): number | undefined {
  let best: number | undefined;
  let most = 1;
  for (const [key, count] of counts) {
    if (count > most || (count === most && best !== undefined && key < best)) {
      best = key;
      most = count;
    }
  }
  return best;
}
