import { sizeOf } from '../tensor.js';
import { defineOp, flops, type InferContext, type OpDefinition } from './definition.js';
import { lossGradients } from './loss-gradient.js';
import { withGradients } from './vjp.js';

/** Scores are (N, C, …), labels (N, …): a loss for each label, or one for all. */
function inferLoss(context: InferContext): void {
  const each = context.node.string('reduction', 'mean') === 'none';
  context.set(0, context.dtype(0), each ? context.shape(1) : []);
}

export const loss: readonly OpDefinition[] = withGradients(
  [
    defineOp({
      op: 'NegativeLogLikelihoodLoss',
      infer: inferLoss,
      cost: context => flops(2 * sizeOf(context.shape(1))),
    }),
    defineOp({
      op: 'SoftmaxCrossEntropyLoss',
      infer(context) {
        inferLoss(context);
        context.set(1, context.dtype(0), context.shape(0)); // log-probabilities
      },
      cost: context => flops(5 * sizeOf(context.shape(0))),
    }),
  ],
  lossGradients,
);
