import type { Tensor } from '../../graph/tensor.js';
import type { TrainingMethod } from '../method.js';

export interface AverageOptions {
  /** Share of the average that each update keeps; default 0.999. */
  readonly decay?: number;
  /** Keep min(decay, (1 + n) / (10 + n)) at update n, so that the start is forgotten sooner; default true. */
  readonly warmup?: boolean;
}

/**
 * Exponential moving average of the weights, a ← d·a + (1 − d)·w after each update; evaluated and exported in the place
 * of the weights. Running statistics of BatchNorm are averages already and are kept as they are.
 * Polyak & Juditsky, SIAM J. Control Optim. 1992; the warm-up is TensorFlow's `ExponentialMovingAverage`.
 */
export function weightAverage({ decay = 0.999, warmup = true }: AverageOptions = {}): TrainingMethod {
  return {
    name: 'average',
    updated(context, unit, next) {
      const { b } = context;
      const average = context.state('average', unit, name => context.initial(name));
      const share = context.scalar('average_decay', ({ update }) =>
        warmup ? Math.min(decay, (1 + update) / (10 + update)) : decay,
      );
      // w + d·(a − w): two passes fewer than weighing both.
      average.next = b.add(next, b.mul(b.sub(average.value, next), share));
      return next;
    },
    exported(run) {
      const averages = new Map<string, Tensor>();
      for (const name of run.names) {
        if (name.startsWith('average/')) averages.set(name.slice('average/'.length), run.read(name));
      }
      return averages;
    },
  };
}
