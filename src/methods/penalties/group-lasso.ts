import { choice } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { outputsOf, type PenaltyOptions, penaltySettings } from './penalized.js';
import { proximalMethod } from './proximal.js';

export interface GroupLassoOptions extends PenaltyOptions {
  /** What a group is: the weights that give one output of a layer, or those that read one of its inputs. */
  readonly groups: 'outputs' | 'inputs';
}

/** A group of zeros has a norm, too. */
const LEAST_NORM = 1e-20;

/**
 * λ Σ_g √|g|·‖w_g‖₂: whole neurons or channels become zero. After each step a group is multiplied by
 * max(0, 1 − ηλ√|g| / ‖w_g‖). Yuan & Lin, 2006, https://doi.org/10.1111/j.1467-9868.2005.00532.x; for networks Wen et
 * al., 2016, https://arxiv.org/abs/1608.03665.
 */
export const groupLasso = ({ groups, ...options }: GroupLassoOptions): TrainingMethod =>
  proximalMethod(
    { name: 'group-lasso', claim: 'the group lasso' },
    options,
    ({ b }, weight, layer, threshold) => {
      const { dims } = layer.weight;
      const outputs = outputsOf(layer);
      const counted = groups === 'outputs' ? outputs : 1 - outputs;
      const summed = dims.map((_, axis) => axis).filter(axis => axis !== counted);
      const size = summed.reduce((product, axis) => product * dims[axis]!, 1);
      const norms = b.sqrt(b.sum(b.square(weight), summed, true));
      const share = b.div(b.mul(threshold, Math.sqrt(size)), b.binary('Max', norms, LEAST_NORM));
      return b.mul(weight, b.op('Relu', [b.sub(1, share)]));
    },
  );

export const GROUP_LASSO = defineMethod({
  name: 'group-lasso',
  family: 'penalty',
  summary: 'Whole neurons and channels are drawn towards zero, and many arrive there.',
  paper: {
    title: 'Learning Structured Sparsity in Deep Neural Networks',
    authors: 'Wen, Wu, Wang, Chen, Li',
    year: 2016,
    url: 'https://arxiv.org/abs/1608.03665',
  },
  settings: {
    ...penaltySettings(1e-4),
    groups: choice(
      'outputs',
      ['outputs', 'inputs'],
      'what a group is: the weights of one output, or one input',
    ),
  },
  create: groupLasso,
});
