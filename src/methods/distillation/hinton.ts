import type { Value } from '../../graph/value.js';
import { CLAIMS } from '../../train/claims.js';
import { number, text } from '../../train/config/settings.js';
import { klDivergence } from '../../train/losses.js';
import type { TrainingMethod } from '../../train/method.js';
import type { StepContext } from '../../train/step/context.js';
import { defineMethod } from '../entry.js';
import { openTeacher, TEACHER } from './open-teacher.js';
import { admitTeacher, embedTeacher, scoresOf, type Teacher } from './teacher.js';

export interface SoftTargetOptions {
  /** T, which softens the probabilities of both; default 4. */
  readonly temperature?: number;
  /** Share of the teacher's term; the objective's own has the rest. Default 0.9. */
  readonly alpha?: number;
  /** The student's output with the scores of the classes; default `logits`. */
  readonly logits?: string;
}

export interface DistillationOptions extends SoftTargetOptions {
  readonly teacher: Teacher;
}

/**
 * Distillation: (1 − α)·loss + α·T²·KL(softmax(teacher/T) ‖ softmax(student/T)). The teacher is part of the step's graph
 * as it is; no gradient reaches it, and what augmentation did to a batch it sees as well. Scores of tokens work as those
 * of classes do. Hinton, Vinyals & Dean, 2015, https://arxiv.org/abs/1503.02531.
 */
export function distillation({ teacher, ...options }: DistillationOptions): TrainingMethod {
  let data: readonly string[] = [];
  return {
    name: 'hinton',
    claims: [CLAIMS.teacher],
    prepare(network) {
      data = admitTeacher(network, teacher.model);
    },
    loss(context, loss) {
      const values = embedTeacher(context, teacher, data);
      return softTargets(context, loss, scoresOf(context, teacher, values, options.logits), options);
    },
  };
}

/** The objective's loss and the teacher's term together. */
export function softTargets(
  context: StepContext,
  loss: Value,
  teacher: Value,
  { temperature = 4, alpha = 0.9, logits = 'logits' }: SoftTargetOptions,
): Value {
  const { b } = context;
  const divergence = klDivergence(b, context.scores(logits), teacher, { temperature });
  context.metric('distillation', divergence);
  return b.add(b.mul(loss, 1 - alpha), b.mul(divergence, alpha));
}

/** Settings of the teacher's term. */
export const SOFT_TARGETS = {
  temperature: number(4, { min: 0.01, description: 'T, which softens the probabilities' }),
  alpha: number(0.9, { min: 0, max: 1, description: "share of the teacher's term" }),
  logits: text('logits', "the student's output with the scores"),
};

export const HINTON = defineMethod({
  name: 'hinton',
  family: 'distillation',
  claims: [CLAIMS.teacher],
  summary: 'The softened answers of another model, any ONNX file, are learnt besides the labels.',
  paper: {
    title: 'Distilling the Knowledge in a Neural Network',
    authors: 'Hinton, Vinyals, Dean',
    year: 2015,
    url: 'https://arxiv.org/abs/1503.02531',
  },
  settings: { ...TEACHER, ...SOFT_TARGETS },
  create: async ({ teacher, output, inputs, ...options }) =>
    distillation({ teacher: await openTeacher('hinton', { teacher, output, inputs }), ...options }),
});
