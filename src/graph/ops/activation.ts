import { sizeOf } from '../tensor.js';
import { activationGradients } from './activation-gradient.js';
import { broadcastShapes } from './broadcast.js';
import { defineOp, defineOps, flops, type OpDefinition } from './definition.js';
import { perElement, sameAsFirst } from './elementwise.js';
import { withGradients } from './vjp.js';

const simple = (op: string, steps = 1): OpDefinition =>
  defineOp({ op, infer: sameAsFirst, cost: perElement(steps) });

const dropout = defineOp({
  op: 'Dropout',
  random: true,
  infer(context) {
    sameAsFirst(context);
    // The mask was of the data's dtype before opset 10.
    context.set(1, context.opset < 10 ? context.dtype(0) : 'bool', context.shape(0));
  },
});

const prelu = defineOp({
  op: 'PRelu',
  infer(context) {
    broadcastShapes(context, [context.shape(0), context.shape(1)]);
    sameAsFirst(context);
  },
  cost: perElement(1),
});

const swiGlu = defineOp({
  op: 'SwiGLU',
  infer(context) {
    context.set(0, context.dtype(0), broadcastShapes(context, [context.shape(0), context.shape(1)]));
  },
  cost: perElement(5),
});

/** Exponential, sum and quotient over an axis. */
const softmaxLike = defineOps('Softmax LogSoftmax Hardmax', {
  infer: sameAsFirst,
  cost: context => flops(4 * sizeOf(context.outputShape(0))),
});

export const activation: readonly OpDefinition[] = withGradients(
  [
    simple('Relu'),
    simple('LeakyRelu'),
    simple('ThresholdedRelu'),
    simple('Shrink'),
    simple('Elu', 3),
    simple('Selu', 3),
    simple('Celu', 3),
    simple('Sigmoid', 3),
    simple('HardSigmoid', 3),
    simple('HardSwish', 4),
    simple('Swish', 4),
    simple('Tanh', 3),
    simple('Softplus', 3),
    simple('Softsign', 3),
    simple('Mish', 5),
    simple('Gelu', 5),
    prelu,
    swiGlu,
    ...softmaxLike,
    dropout,
  ],
  activationGradients,
);
