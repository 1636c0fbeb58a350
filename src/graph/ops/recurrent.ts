import { sizeOf } from '../tensor.js';
import { defineOps, type InferContext, macs, type OpDefinition } from './definition.js';
import { recurrentGradients } from './recurrent-gradient.js';
import { withGradients } from './vjp.js';

/**
 * Outputs Y (steps, directions, batch, hidden), Y_h and Y_c (directions, batch, hidden); with `layout` 1 the batch
 * comes first. X is (steps, batch, in), R (directions, gates·hidden, hidden).
 */
function inferRecurrent(context: InferContext): void {
  const x = context.shape(0);
  if (x && x.length !== 3) context.fail(`input should be (steps, batch, features), but has rank ${x.length}`);
  const batchFirst = context.node.int('layout', 0) !== 0;
  const steps = x?.[batchFirst ? 1 : 0] ?? null;
  const batch = x?.[batchFirst ? 0 : 1] ?? null;
  const directions = context.node.string('direction', 'forward') === 'bidirectional' ? 2 : 1;
  const hidden = context.node.int('hidden_size') ?? context.shape(2)?.[2] ?? null;
  const features = context.shape(1)?.[2];
  if (typeof features === 'number' && typeof x?.[2] === 'number' && features !== x[2]) {
    context.fail(`input has ${x[2]} features, the weights take ${features}`);
  }
  const state = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  context.set(
    0,
    context.dtype(0),
    batchFirst ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden],
  );
  context.set(1, context.dtype(0), state);
  context.set(2, context.dtype(0), state);
}

export const recurrent: readonly OpDefinition[] = withGradients(
  defineOps('LSTM GRU RNN', {
    infer: inferRecurrent,
    cost(context) {
      const [first, second] = context.shape(0) as [number, number];
      return macs(first * second * (sizeOf(context.shape(1)) + sizeOf(context.shape(2))));
    },
  }),
  recurrentGradients,
);
