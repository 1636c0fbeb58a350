import { WhittleError } from '../../graph/errors.js';
import { exportForInference, type Network } from '../../nn/index.js';
import { type TrainOptions, type TrainResult, train } from '../../train/index.js';
import { distillation, type SoftTargetOptions } from './hinton.js';

export interface BornAgainOptions extends SoftTargetOptions {
  /** Trainings in all, the first without a teacher; default 3. */
  readonly generations?: number;
}

/**
 * Born-again networks: a student of the teacher's own architecture is taught by it, and then teaches the next.
 * @param options of the training of a generation, from 0: give each another seed, network and folder of checkpoints
 * @returns the result of each generation; their mean is the paper's ensemble
 *
 * Furlanello et al., 2018, https://arxiv.org/abs/1805.04770.
 */
export async function bornAgain(
  options: (generation: number) => TrainOptions,
  { generations = 3, ...targets }: BornAgainOptions = {},
): Promise<TrainResult[]> {
  if (!(Number.isInteger(generations) && generations >= 1)) {
    throw new WhittleError(`generations are a whole number, not ${generations}`);
  }
  const results: TrainResult[] = [];
  let teacher: Network | undefined;
  for (let generation = 0; generation < generations; generation++) {
    const own = options(generation);
    const taught = teacher && distillation({ teacher: { model: exportForInference(teacher) }, ...targets });
    const result = await train({ ...own, methods: [...(own.methods ?? []), ...(taught ? [taught] : [])] });
    results.push(result);
    if (result.ended === 'aborted') break;
    teacher = result.network;
  }
  return results;
}
