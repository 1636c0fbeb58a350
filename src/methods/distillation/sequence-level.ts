import { type Batch, checkIndices, type Dataset } from '../../datasets/dataset.js';
import { WhittleError } from '../../graph/errors.js';
import type { Model } from '../../graph/model.js';
import { Tensor } from '../../graph/tensor.js';
import { Random } from '../../random/random.js';
import { createSession, type SessionOptions } from '../../runtime/index.js';
import { sequenceFeeds } from './sequence-feeds.js';

export interface SequenceOptions {
  /** What the sequences begin with, all of one length. */
  readonly prompts: readonly (readonly number[])[];
  /** Tokens of a sequence, the prompt among them. */
  readonly tokens: number;
  /** Divides the scores before a token is drawn; 0 takes the most likely. Default 1. */
  readonly temperature?: number;
  /** Of the draws; default 0. */
  readonly seed?: number;
  /** Sequences that are written together; default 16. */
  readonly batchSize?: number;
  /** The teacher's output with the scores; default `logits`, or its only output. */
  readonly logits?: string;
  readonly session?: SessionOptions;
}

/**
 * Sequence-level distillation of a language model: the student learns, as from any text, what the teacher writes. The
 * teacher reads tokens (batch, tokens) and gives scores (batch, tokens, vocabulary); it sees the whole sequence for each
 * token, so that files with and without a cache of keys work. What else it requires is filled as `sequenceFeeds` says.
 * @returns `input_ids` and `labels` (batch, tokens − 1), the token that follows each
 * @throws WhittleError where the teacher requires what cannot be filled, or gives no scores of tokens
 *
 * Kim & Rush, 2016, https://arxiv.org/abs/1606.07947, where the teacher translates by beam search; a language model
 * without a source draws instead.
 */
export async function teacherSequences(teacher: Model, options: SequenceOptions): Promise<Dataset> {
  const { prompts, tokens, temperature = 1, seed = 0, batchSize = 16 } = options;
  const length = prompts[0]?.length ?? 0;
  if (length === 0 || prompts.some(prompt => prompt.length !== length) || tokens <= length) {
    throw new WhittleError('prompts have one length of at least one token, and sequences are longer');
  }
  const feedsOf = sequenceFeeds(teacher);
  const logits = options.logits ?? defaultOutput(teacher);
  const random = new Random(seed, 'sequences');
  const session = await createSession(teacher, options.session);
  const written: number[][] = [];
  try {
    for (let from = 0; from < prompts.length; from += batchSize) {
      const batch = prompts.slice(from, from + batchSize).map(prompt => [...prompt]);
      while (batch[0]!.length < tokens) {
        const width = batch[0]!.length;
        const scores = (await session.run(feedsOf(batch)))[logits];
        const [vocabulary, data] = readScores(teacher, scores, logits, [batch.length, width]);
        batch.forEach((sequence, i) => {
          const at = (i * width + width - 1) * vocabulary;
          sequence.push(draw(data.subarray(at, at + vocabulary), temperature, random));
        });
      }
      written.push(...batch);
    }
  } finally {
    await session.release();
  }
  return sequences(written, tokens - 1);
}

function defaultOutput({ graph }: Model): string {
  const [only, ...others] = graph.outputs;
  return only && others.length === 0 ? only.name : 'logits';
}

function readScores(
  { graph, path }: Model,
  scores: Tensor | undefined,
  name: string,
  [count, width]: readonly [number, number],
): [vocabulary: number, data: Float32Array] {
  const place = path === undefined ? {} : { file: path };
  if (!scores) {
    throw new WhittleError(`the teacher has no output "${name}"`, {
      ...place,
      hint: `It has ${graph.outputs.map(output => output.name).join(', ')}`,
    });
  }
  const { dims } = scores;
  if (dims.length === 3 && dims[0] === count && dims[1] === width) return [dims[2]!, scores.toFloat32()];
  throw new WhittleError(
    `the teacher gives [${dims.join(', ')}] for ${count} sequences of ${width} tokens, no scores of each token`,
    { ...place, value: name, hint: 'logits names another of its outputs' },
  );
}

/** A token by its score. */
function draw(scores: Float32Array, temperature: number, random: Random): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i;
  if (temperature === 0) return best;
  const weights = Float64Array.from(scores, score => Math.exp((score - scores[best]!) / temperature));
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return best;
}

function sequences(written: readonly (readonly number[])[], tokens: number): Dataset {
  const field = { dtype: 'int64', shape: [tokens] } as const;
  return {
    length: written.length,
    fields: { input_ids: field, labels: field },
    async batch(indices): Promise<Batch> {
      checkIndices(indices, written.length);
      const gather = (offset: number): Tensor => {
        const ids = Array.from(indices, i => written[i]!.slice(offset, offset + tokens)).flat();
        return Tensor.from('int64', [indices.length, tokens], BigInt64Array.from(ids, BigInt));
      };
      return { input_ids: gather(0), labels: gather(1) };
    },
  };
}
