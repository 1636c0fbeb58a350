import type { Value } from '../value.js';
import { byExpansion, type Gradients, type VjpContext } from './vjp.js';

/** −log p of each label, weighted by class, in the way that the node reduces it. */
function negativeLogLikelihood({ build: b, node, has, input }: VjpContext, logProbabilities: Value): Value {
  const ignored = node.int('ignore_index');
  const counts = ignored === undefined ? undefined : b.op('Not', [b.binary('Equal', input(1), ignored)]);
  const labels = counts ? b.where(counts, input(1), 0) : input(1);
  const picked = b.op('GatherElements', [logProbabilities, b.unsqueeze(labels, [1])], { axis: 1 });
  const plain = b.neg(b.squeeze(picked, [1]));
  const weight = has(2) ? b.op('Gather', [input(2), labels]) : b.fillLike(plain, 1);
  const weights = counts ? b.where(counts, weight, 0) : weight;
  const losses = b.mul(plain, weights);
  const total = (x: Value): Value => b.op('ReduceSum', [x], { keepdims: 0 });
  switch (node.string('reduction', 'mean')) {
    case 'none':
      return losses;
    case 'sum':
      return total(losses);
    default:
      return b.div(total(losses), total(weights));
  }
}

export const lossGradients: Gradients = {
  NegativeLogLikelihoodLoss: byExpansion(context => negativeLogLikelihood(context, context.input(0))),
  SoftmaxCrossEntropyLoss: byExpansion(context => {
    const logProbabilities = context.build.op('LogSoftmax', [context.input(0)], { axis: 1 });
    return [negativeLogLikelihood(context, logProbabilities), logProbabilities];
  }),
};
