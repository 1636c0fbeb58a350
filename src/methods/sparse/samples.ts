import type { Batch } from '../../datasets/dataset.js';
import { WhittleError } from '../../graph/errors.js';
import { Random } from '../../random/random.js';
import type { TrainingRun } from '../../train/method.js';

/** Examples that are looked at together while classes are counted. */
const CHUNK = 256;

/** Some training examples, drawn by the training's seed, without a repetition. */
export async function drawSamples({ data, seed }: TrainingRun, count: number): Promise<Batch> {
  const order = new Random(seed, 'samples').permutation(data.length);
  return data.batch(order.subarray(0, Math.min(count, data.length)));
}

/**
 * As many examples of each class; in data without classes, as many as make one batch of that size.
 * @throws WhittleError where classes have no labels to tell them by
 */
export async function drawPerClass(run: TrainingRun, count: number, labels = 'labels'): Promise<Batch> {
  const { data, seed } = run;
  const { classes } = data;
  if (!classes) return drawSamples(run, count);
  if (!data.fields[labels]) {
    throw new WhittleError(`the data set has classes, but no "${labels}" to tell them by`, {
      hint: `It has ${Object.keys(data.fields).join(', ')}`,
    });
  }
  const order = new Random(seed, 'samples').permutation(data.length);
  const found = new Map<number, number>();
  const chosen: number[] = [];
  for (let from = 0; from < order.length && chosen.length < count * classes.length; from += CHUNK) {
    const indices = order.subarray(from, from + CHUNK);
    const batch = await data.batch(indices);
    batch[labels]!.toNumbers().forEach((label, i) => {
      const seen = found.get(label) ?? 0;
      if (seen >= count) return;
      found.set(label, seen + 1);
      chosen.push(indices[i]!);
    });
  }
  return data.batch(chosen);
}
