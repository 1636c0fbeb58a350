/** What a character costs that no piece of the vocabulary begins with, as a log probability. */
const UNKNOWN = -30;

/**
 * Splits text into the likeliest pieces of a unigram vocabulary (Kudo, "Subword Regularization", 2018), by dynamic
 * programming over the places between characters.
 * @param vocabulary pieces with their log probabilities; a piece's index is its id, and ▁ stands for a space
 */
export function segmenter(vocabulary: readonly (readonly [string, number])[]): (text: string) => number[] {
  const ids = new Map(vocabulary.map(([piece], id) => [piece, id]));
  const longest = Math.max(...vocabulary.map(([piece]) => piece.length));
  return text => {
    const marked = `▁${text.trim().replace(/\s+/g, '▁')}`;
    const best = new Float64Array(marked.length + 1).fill(Number.NEGATIVE_INFINITY);
    const start = new Int32Array(marked.length + 1);
    best[0] = 0;
    const offer = (from: number, to: number, score: number) => {
      if (best[from]! + score <= best[to]!) return;
      best[to] = best[from]! + score;
      start[to] = from;
    };
    for (let from = 0; from < marked.length; from++) {
      offer(from, from + 1, UNKNOWN);
      for (let to = from + 1; to <= Math.min(marked.length, from + longest); to++) {
        const id = ids.get(marked.slice(from, to));
        if (id !== undefined) offer(from, to, vocabulary[id]![1]);
      }
    }
    const pieces: number[] = [];
    for (let end = marked.length; end > 0; end = start[end]!) {
      pieces.push(ids.get(marked.slice(start[end], end)) ?? 0);
    }
    return pieces.reverse();
  };
}
