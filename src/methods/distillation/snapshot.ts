import { WhittleError } from '../../graph/errors.js';
import { cloneNetwork, type Network } from '../../nn/index.js';
import { CLAIMS } from '../../train/claims.js';
import { integer, number, text } from '../../train/config/settings.js';
import { klDivergence } from '../../train/losses.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import type { SoftTargetOptions } from './hinton.js';
import { embedOwn } from './own-teacher.js';

export interface SnapshotOptions extends SoftTargetOptions {
  /** Cycles of the learning rate; default 4. */
  readonly cycles?: number;
}

const TEACHER = 'snapshot';

/**
 * Snapshot distillation: the schedule of the learning rate begins anew in each of several cycles, and from the second
 * on the network as it stood at the end of the last cycle is the teacher, in inference form. With a rate that falls to 0
 * in a cycle, such as `cosine`, each snapshot is a network of its own (Huang et al., 2017, https://arxiv.org/abs/1704.00109).
 * Yang et al., 2019, https://arxiv.org/abs/1812.00123.
 */
export function snapshotDistillation(options: SnapshotOptions = {}): TrainingMethod {
  const { cycles = 4, temperature = 2, alpha = 0.5, logits = 'logits' } = options;
  let student: Network | undefined;
  let parameters: readonly string[] = [];
  let weight = 0;
  /** The update that a cycle begins after; cycles are of one length, give or take an update. */
  const startOf = (cycle: number, updates: number): number => Math.ceil((cycle * updates) / cycles);
  const cycleOf = (update: number, updates: number): number => Math.floor((update * cycles) / updates);
  return {
    name: 'snapshot',
    claims: [CLAIMS.teacher],
    prepare(network) {
      student = cloneNetwork(network);
      weight = 0;
    },
    loss(context, loss) {
      if (!student) throw new WhittleError('the network was not prepared');
      const { b } = context;
      const teacher = embedOwn(context, student, TEACHER, logits);
      parameters = teacher.parameters;
      const divergence = klDivergence(b, context.scores(logits), teacher.scores, { temperature });
      context.metric('distillation', divergence);
      const share = context.scalar('snapshot_share', () => weight);
      return b.add(b.mul(loss, b.sub(1, share)), b.mul(divergence, share));
    },
    moment({ update, updates, ...rest }) {
      const cycle = cycleOf(update, updates);
      const start = startOf(cycle, updates);
      return { ...rest, update: update - start, updates: startOf(cycle + 1, updates) - start };
    },
    started({ updates }) {
      if (updates >= cycles) return;
      throw new WhittleError(`${updates} updates are no ${cycles} cycles`, {
        hint: 'Train for longer, or in fewer cycles',
      });
    },
    beforeStep({ update, updates }) {
      weight = update >= startOf(1, updates) ? alpha : 0;
    },
    afterStep(run) {
      const { update, updates } = run;
      if (update === updates || update !== startOf(cycleOf(update, updates), updates)) return;
      for (const name of parameters) run.write(`${TEACHER}/${name}`, run.read(name));
    },
  };
}

export const SNAPSHOT = defineMethod({
  name: 'snapshot',
  family: 'distillation',
  claims: [CLAIMS.teacher],
  summary: 'The rate restarts in cycles; each learns from the network as the last cycle left it.',
  paper: {
    title: 'Snapshot Distillation: Teacher-Student Optimization in One Generation',
    authors: 'Yang, Xie, Su, Yuille',
    year: 2019,
    url: 'https://arxiv.org/abs/1812.00123',
  },
  settings: {
    cycles: integer(4, { min: 2, description: 'of the learning rate' }),
    temperature: number(2, { min: 0.01, description: 'T, which softens the probabilities' }),
    alpha: number(0.5, { min: 0, max: 1, description: "share of the teacher's term" }),
    logits: text('logits', 'the output with the scores'),
  },
  create: snapshotDistillation,
});
