import type { Sample } from '../data/sample.js';
import { typedBuilder } from '../graph/autodiff/index.js';
import { cloneModel } from '../graph/clone.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { pairColumns } from '../graph/rewrite/index.js';
import { convolveShortcuts } from '../train/step/convolve-shortcuts.js';
import { Evaluator } from './evaluator.js';
import type { CompressOptions } from './options.js';
import { timeOf } from './time.js';

/** A form that takes more than this share of the time is not worth its larger kernels. */
const LONGEST = 0.97;

/** Writes a model in another form that gives the same numbers but for rounding. */
export type Form = (model: Model) => Model;

const asItIs: Form = model => model;

/**
 * The form in which a model and its pruned versions run fastest: as they are, or with columns in pairs where channels are few.
 * It depends on the processor, so both are timed.
 * @param model exact rewrites done, shapes inferred
 */
export async function fastForm(
  model: Model,
  sample: Sample,
  options: Pick<CompressOptions, 'threads' | 'provider'>,
): Promise<Form> {
  const paired = inPairs(model);
  if (paired === model) return asItIs;
  const evaluator = await Evaluator.create(model, [sample], options);
  try {
    return (await timeOf(paired, evaluator, LONGEST)) < LONGEST ? inPairs : asItIs;
  } finally {
    await evaluator.release();
  }
}

/**
 * A copy whose columns lie in pairs; the model itself where none can. Shortcuts that leave out pixels become convolutions: a
 * slice would have to take the pairs apart.
 */
export const inPairs: Form = model => {
  const copy = cloneModel(model);
  convolveShortcuts(typedBuilder(copy), copy.graph);
  inferShapes(copy);
  if (pairColumns(copy) === 0) return model;
  inferShapes(copy);
  return copy;
};
