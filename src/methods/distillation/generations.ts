import { WhittleError } from '../../graph/errors.js';
import { Tensor } from '../../graph/tensor.js';
import { cloneNetwork, initialTensor, type Network, type Parameter } from '../../nn/index.js';
import { CLAIMS } from '../../train/claims.js';
import { integer } from '../../train/config/settings.js';
import { klDivergence } from '../../train/losses.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import type { BornAgainOptions } from './born-again.js';
import { SOFT_TARGETS } from './hinton.js';
import { embedOwn } from './own-teacher.js';

const TEACHER = 'previous';

/**
 * Born-again networks within one training: a training of n updates becomes `generations` of them. Each begins with weights
 * drawn anew, an empty optimizer and the start of the schedule, and from the second on the end of the one before
 * is its teacher, in inference form. The last is evaluated as the best and exported; `bornAgain` gives all of them.
 * Weights that a method or a file set, rather than an initializer, begin each generation as they began the first.
 *
 * Furlanello et al., 2018, https://arxiv.org/abs/1805.04770.
 */
export function bornAgainTraining(options: BornAgainOptions = {}): TrainingMethod {
  const { generations = 3, temperature = 4, alpha = 0.9, logits = 'logits' } = options;
  if (!(Number.isInteger(generations) && generations >= 1)) {
    throw new WhittleError(`generations are a whole number, not ${generations}`);
  }
  let student: Network | undefined;
  let parameters: readonly string[] = [];
  /** Updates of one generation. */
  let length = 1;
  let generation = 0;
  return {
    name: 'born-again',
    claims: [CLAIMS.teacher],
    prepare(network) {
      student = cloneNetwork(network);
      generation = 0;
    },
    loss(context, loss) {
      if (!student) throw new WhittleError('the network was not prepared');
      const { b } = context;
      const teacher = embedOwn(context, student, TEACHER, logits);
      parameters = teacher.parameters;
      const divergence = klDivergence(b, context.scores(logits), teacher.scores, { temperature });
      context.metric('distillation', divergence);
      const share = context.scalar('teacher_share', () => (generation > 0 ? alpha : 0));
      return b.add(b.mul(loss, b.sub(1, share)), b.mul(divergence, share));
    },
    lengthen(updates) {
      length = updates;
      return generations * updates;
    },
    moment: at => ({ ...at, update: at.update % length, updates: length }),
    // Before the next step rather than after the last, so that a generation's end can be evaluated and saved.
    beforeStep(run) {
      if (generation >= generations - 1 || run.update !== (generation + 1) * length) return;
      generation++;
      for (const name of parameters) run.write(`${TEACHER}/${name}`, run.read(name));
      beginAnew(run, generation);
      run.log('generation', generation);
    },
    settled: () => generation === generations - 1,
    save: () => ({ generation }),
    restore(saved) {
      generation = (saved as { generation: number }).generation;
    },
  };
}

function beginAnew(run: TrainingRun, generation: number): void {
  const { network } = run;
  for (const name of run.names) {
    const parameter = network.parameters.get(name);
    if (parameter) run.write(name, start(network, parameter, generation));
    else if (run.optimizerStates.some(state => name.startsWith(`${state}/`))) {
      const { dtype, dims, byteLength } = run.read(name);
      run.write(name, new Tensor(dtype, dims, new Uint8Array(byteLength)));
    }
  }
}

/** What a parameter begins a generation with. The run's network still holds what it began the first with. */
function start(network: Network, { name, initializer, ...shape }: Parameter, generation: number): Tensor {
  const first = network.tensor(name);
  const drawn = (as: string): Tensor => initialTensor(as, shape, initializer, network.seed);
  const isDrawn = shape.kind !== 'buffer' && sameBytes(first.bytes(), drawn(name).bytes());
  return isDrawn ? drawn(`generation ${generation}/${name}`) : first;
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

export const BORN_AGAIN = defineMethod({
  name: 'born-again',
  family: 'distillation',
  summary: 'Generations of the same network, each trained from new weights and taught by the one before.',
  paper: {
    title: 'Born Again Neural Networks',
    authors: 'Furlanello, Lipton, Tschannen, Itti, Anandkumar',
    year: 2018,
    url: 'https://arxiv.org/abs/1805.04770',
  },
  settings: {
    generations: integer(3, { min: 1, description: 'trainings in all, the first without a teacher' }),
    ...SOFT_TARGETS,
  },
  create: bornAgainTraining,
});
