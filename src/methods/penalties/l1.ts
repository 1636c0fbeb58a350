import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { type PenaltyOptions, penaltySettings } from './penalized.js';
import { proximalMethod } from './proximal.js';

/**
 * λ Σ |w|, by soft thresholding: w − clip(w, −ηλ, ηλ) after each step. Single weights become zero.
 * Tibshirani, 1996, https://doi.org/10.1111/j.2517-6161.1996.tb02080.x; as a map after gradient steps Daubechies,
 * Defrise & De Mol, 2004, https://arxiv.org/abs/math/0307152.
 */
export const l1Penalty = (options: PenaltyOptions): TrainingMethod =>
  proximalMethod({ name: 'l1', claim: 'the L1 penalty' }, options, ({ b }, weight, _layer, threshold) =>
    b.sub(weight, b.op('Clip', [weight, b.neg(threshold), threshold])),
  );

export const L1 = defineMethod({
  name: 'l1',
  family: 'penalty',
  summary: 'Weights are drawn towards zero by a constant force, and many arrive there.',
  paper: {
    title: 'Regression Shrinkage and Selection via the Lasso',
    authors: 'Tibshirani',
    year: 1996,
    url: 'https://doi.org/10.1111/j.2517-6161.1996.tb02080.x',
  },
  settings: penaltySettings(1e-4),
  create: l1Penalty,
});
