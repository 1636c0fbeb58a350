import { dtypeAttribute } from './cast.js';
import { defineOp, defineOps, type OpDefinition } from './definition.js';
import { withGradients } from './vjp.js';

const generators: readonly OpDefinition[] = [
  ...defineOps('RandomNormal RandomUniform', {
    random: true,
    infer: context =>
      context.set(0, dtypeAttribute(context, 'dtype') ?? 'float32', context.node.ints('shape', [])),
  }),
  ...defineOps('RandomNormalLike RandomUniformLike Bernoulli', {
    random: true,
    infer: context => context.set(0, dtypeAttribute(context, 'dtype') ?? context.dtype(0), context.shape(0)),
  }),
  defineOp({
    op: 'Multinomial',
    random: true,
    infer(context) {
      const dtype = dtypeAttribute(context, 'dtype') ?? 'int32';
      context.set(0, dtype, [context.shape(0)?.[0] ?? null, context.node.int('sample_size', 1)]);
    },
  }),
];

/** What is drawn does not move with what it is drawn for; a Bernoulli draw is flat almost everywhere. */
const flat = () => [];

export const random: readonly OpDefinition[] = withGradients(generators, {
  RandomNormalLike: flat,
  RandomUniformLike: flat,
  Bernoulli: flat,
});
