import { WhittleError } from '../graph/errors.js';
import { type TrainOptions, train } from '../train/index.js';
import { leastPassing } from './bisect.js';

export interface SmallestFitOptions {
  /** The widths to choose from, rising. */
  readonly widths: readonly number[];
  /** Training accuracy, or another metric of the objective where higher is better, that counts as fitted. */
  readonly threshold: number;
  /** Default `accuracy`. */
  readonly metric?: string;
  /** The training of a width. What it reaches on its own training data decides. */
  readonly training: (width: number) => TrainOptions | Promise<TrainOptions>;
}

export interface SmallestFit {
  /** Absent where not even the widest fits. */
  readonly width: number | undefined;
  /** What each width reached that was tried, in order. */
  readonly tried: readonly { readonly width: number; readonly reached: number }[];
}

/**
 * The smallest width at which a network still fits its training data: how much over-parameterization an optimizer or a
 * method needs. Trains about log₂ of as many networks as there are widths; wider ones are taken to fit where a narrower
 * one does.
 * @throws WhittleError where widths do not rise, and whatever training throws
 */
export async function smallestFit({
  widths,
  threshold,
  metric = 'accuracy',
  training,
}: SmallestFitOptions): Promise<SmallestFit> {
  if (widths.length === 0 || widths.some((width, i) => i > 0 && width <= widths[i - 1]!)) {
    throw new WhittleError('widths to choose from rise, and there is one at least');
  }
  const tried: { width: number; reached: number }[] = [];
  const found = await leastPassing(widths.length, async at => {
    const width = widths[at]!;
    const options = await training(width);
    const { evaluation } = await train({
      ...options,
      data: { train: options.data.train, test: options.data.train },
      // The last update is always evaluated.
      evaluation: { ...options.evaluation, every: Number.MAX_SAFE_INTEGER },
    });
    const reached = evaluation?.[metric];
    if (reached === undefined) {
      throw new WhittleError(`the objective measures no "${metric}"`, {
        hint: `It measures ${Object.keys(evaluation ?? {}).join(', ')}`,
      });
    }
    tried.push({ width, reached });
    return reached >= threshold;
  });
  return { width: found === undefined ? undefined : widths[found]!, tried };
}
