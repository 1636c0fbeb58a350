import { sizeOf } from '../tensor.js';
import { normalizeAxis } from './axes.js';
import { defineOp, defineOps, type InferContext, type OpDefinition } from './definition.js';
import { perElement, sameAsFirst } from './elementwise.js';
import { normalizationGradients } from './normalization-gradient.js';
import { withGradients } from './vjp.js';

const batchNormalization = defineOp({
  op: 'BatchNormalization',
  infer(context) {
    const x = context.shape(0);
    sameAsFirst(context);
    const channels = x && x.length > 1 ? [x[1]!] : undefined;
    const scale = context.shape(1);
    if (
      channels &&
      typeof channels[0] === 'number' &&
      typeof scale?.[0] === 'number' &&
      scale[0] !== channels[0]
    ) {
      context.fail(`input has ${channels[0]} channels, but scale has ${scale[0]}`);
    }
    // Running mean and variance; before opset 14 also the saved ones.
    for (let i = 1; i < context.node.outputs.length; i++) context.set(i, context.dtype(3), channels ?? scale);
  },
  cost: perElement(2),
});

/** Statistics of LayerNormalization have the shape of the input with 1 in the normalized axes. */
function layerNormalizationInfer(context: InferContext): void {
  const x = context.shape(0);
  sameAsFirst(context);
  const axis = x && normalizeAxis(context, context.node.int('axis', -1), x.length);
  const statistics = x?.map((dim, i) => (i < axis! ? dim : 1));
  for (let i = 1; i < context.node.outputs.length; i++) context.set(i, 'float32', statistics);
}

const layerNormalization = defineOps('LayerNormalization RMSNormalization SimplifiedLayerNormalization', {
  inputs: [2, 3],
  infer: layerNormalizationInfer,
  cost: perElement(7),
});

const elementSteps = (op: string, steps: number): OpDefinition =>
  defineOp({ op, infer: sameAsFirst, cost: perElement(steps) });

const lrn = defineOp({
  op: 'LRN',
  infer: sameAsFirst,
  cost: context => {
    const size = sizeOf(context.outputShape(0));
    return { macs: 0, flops: size * (context.node.int('size', 1) + 3) };
  },
});

export const normalization: readonly OpDefinition[] = withGradients(
  [
    batchNormalization,
    ...layerNormalization,
    elementSteps('InstanceNormalization', 7),
    elementSteps('GroupNormalization', 7),
    elementSteps('MeanVarianceNormalization', 6),
    elementSteps('LpNormalization', 3),
    lrn,
  ],
  normalizationGradients,
);
