import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';
import { type AdamOptions, movingMoments } from './adam.js';
import type { Optimizer } from './optimizer.js';

/**
 * LAMB: Adam's direction with weight decay, scaled for each tensor to the length of the tensor itself,
 * w ← w − η·(‖w‖/‖u‖)·u with u = m̂/(√v̂ + ε) + λw; the ratio is 1 where either norm is 0. Penalties of other
 * regularizers are decoupled: they move the weights by η times the penalty, outside of the ratio.
 * You et al., ICLR 2020, https://arxiv.org/abs/1904.00962, algorithm 2 with φ the identity.
 */
export function lamb({ betas: [beta1, beta2] = [0.9, 0.999], epsilon = 1e-6 }: AdamOptions = {}): Optimizer {
  return {
    name: 'lamb',
    wholeTensors: true,
    update(context) {
      const { b, parameter, learningRate, weightDecay, penalty } = context;
      const { first, second } = movingMoments(context, context.gradient, beta1, beta2);
      const m = b.mul(
        first,
        context.scalar('first_correction', ({ update }) => 1 / (1 - beta1 ** update)),
      );
      const v = b.mul(
        second,
        context.scalar('second_correction', ({ update }) => 1 / (1 - beta2 ** update)),
      );
      const adam = b.div(m, b.add(b.sqrt(v), epsilon));
      const direction = weightDecay ? b.add(adam, b.mul(parameter, weightDecay)) : adam;
      const ratio = trustRatio(b, norm(b, parameter), norm(b, direction));
      const moved = b.sub(parameter, b.mul(direction, b.mul(learningRate, ratio)));
      return penalty ? b.sub(moved, b.mul(penalty, learningRate)) : moved;
    },
  };
}

const norm = (b: Builder, x: Value): Value => b.op('ReduceL2', [x], { keepdims: 0 });

function trustRatio(b: Builder, weights: Value, direction: Value): Value {
  const usable = b.binary('Greater', b.mul(weights, direction), 0);
  return b.where(usable, b.div(weights, b.where(usable, direction, 1)), 1);
}
