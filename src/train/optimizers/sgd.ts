import { coupledGradient, type Optimizer } from './optimizer.js';

export interface SgdOptions {
  /** Default 0. */
  readonly momentum?: number;
  /** Share of the gradient that the momentum leaves out, after the first step; default 0. */
  readonly dampening?: number;
  /** Look ahead along the momentum; default false. */
  readonly nesterov?: boolean;
}

/**
 * Stochastic gradient descent, g = ∇ + λw, v ← μv + (1 − d)g, w ← w − η·v, or w − η(g + μv) with Nesterov's look-ahead;
 * in the form of `torch.optim.SGD`, whose learning rate multiplies the momentum, too.
 * Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
 */
export function sgd({ momentum = 0, dampening = 0, nesterov = false }: SgdOptions = {}): Optimizer {
  return {
    name: 'sgd',
    update(context) {
      const { b, parameter, learningRate } = context;
      const gradient = coupledGradient(context);
      let direction = gradient;
      if (momentum !== 0) {
        const velocity = context.state('momentum');
        // The first gradient is the velocity, undamped.
        const share =
          dampening === 0
            ? 1
            : context.scalar('undamped', ({ update }) => (update === 1 ? 1 : 1 - dampening));
        velocity.next = b.add(b.mul(velocity.value, momentum), b.mul(gradient, share));
        direction = nesterov ? b.add(gradient, b.mul(velocity.next, momentum)) : velocity.next;
      }
      return b.sub(parameter, b.mul(direction, learningRate));
    },
  };
}
