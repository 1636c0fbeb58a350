import type { Dataset } from '../../datasets/dataset.js';
import { WhittleError } from '../../graph/errors.js';
import { CLAIMS } from '../../train/claims.js';
import { integer, number, text } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { openTeacher, TEACHER } from './open-teacher.js';
import { type SequenceOptions, teacherSequences } from './sequence-level.js';
import type { Teacher } from './teacher.js';

export interface SequenceTrainingOptions
  extends Pick<SequenceOptions, 'temperature' | 'seed' | 'batchSize' | 'session'> {
  readonly teacher: Pick<Teacher, 'model' | 'output'>;
  /** Tokens of each example that the teacher goes on from; default 1. */
  readonly prompt?: number;
  /** Sequences to train on; default as many as the data set has. */
  readonly sequences?: number;
}

/** Examples are read this many at a time. */
const BATCH = 64;

/**
 * Sequence-level distillation as a way to train: the examples of a language model (`input_ids` and `labels` of one
 * length) keep their first tokens, and the teacher writes the rest. It writes them all before the first step, the whole
 * sequence anew for each token; a resume writes them again.
 */
export function sequenceTraining(options: SequenceTrainingOptions): TrainingMethod {
  const { teacher, prompt = 1, sequences, ...rest } = options;
  return {
    name: 'sequence-level',
    claims: [CLAIMS.teacher],
    async trainOn(data) {
      const tokens = lengthOf(data) + 1;
      const count = Math.min(sequences ?? data.length, data.length);
      const prompts: number[][] = [];
      while (prompts.length < count) {
        const some = Math.min(BATCH, count - prompts.length);
        const batch = await data.batch(Array.from({ length: some }, (_, i) => prompts.length + i));
        const ids = batch.input_ids!.toNumbers();
        for (let i = 0; i < some; i++) prompts.push(ids.slice(i * (tokens - 1), i * (tokens - 1) + prompt));
      }
      const { output } = teacher;
      return teacherSequences(teacher.model, {
        ...rest,
        prompts,
        tokens,
        ...(output !== undefined && { logits: output }),
      });
    },
  };
}

/** Tokens of an example. */
function lengthOf({ fields }: Dataset): number {
  const { input_ids: ids, labels, ...others } = fields;
  const fits = ids?.shape.length === 1 && labels?.shape.join() === ids.shape.join();
  if (fits && Object.keys(others).length === 0) return ids.shape[0]!;
  throw new WhittleError('a teacher writes data for language models only', {
    hint: `Examples are input_ids and labels of one length; these have ${Object.keys(fields).join(', ')}`,
  });
}

export const SEQUENCE_LEVEL = defineMethod({
  name: 'sequence-level',
  family: 'distillation',
  summary:
    'A language model learns, as from any text, what a teacher writes after the beginnings of the examples.',
  paper: {
    title: 'Sequence-Level Knowledge Distillation',
    authors: 'Kim, Rush',
    year: 2016,
    url: 'https://arxiv.org/abs/1606.07947',
  },
  settings: {
    teacher: TEACHER.teacher,
    output: text('', "the teacher's output with the scores; default `logits`, or its only one"),
    prompt: integer(1, { min: 1, description: 'tokens of each example that the teacher goes on from' }),
    sequences: integer(0, { min: 0, description: 'to train on; 0: as many as the data set has' }),
    temperature: number(1, {
      min: 0,
      description: 'divides scores before a token is drawn; 0: the likeliest',
    }),
    seed: integer(0, { min: 0, description: 'of the draws' }),
  },
  claims: [CLAIMS.teacher],
  create: async ({ teacher, output, sequences, ...options }) =>
    sequenceTraining({
      teacher: await openTeacher('sequence-level', { teacher, output, inputs: '' }),
      ...(sequences > 0 && { sequences }),
      ...options,
    }),
});
