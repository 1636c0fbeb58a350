import { Graph } from '../graph.js';
import type { Value } from '../value.js';
import type { Builder } from './builder.js';
import { byExpansion, type Gradients, type Vjp, type VjpContext } from './vjp.js';

/** Axes of (N, C, …) other than the channels, and those after them. */
const aroundChannels = (rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => i).filter(i => i !== 1);
const spatial = (rank: number): number[] => Array.from({ length: Math.max(0, rank - 2) }, (_, i) => i + 2);

/** (C) as (C, 1, …), to meet (N, C, …). */
const perChannel = (b: Builder, v: Value, rank: number): Value =>
  b.unsqueeze(
    v,
    spatial(rank).map(i => i - 1),
  );

interface Normalized {
  /** (x − mean)·inverse deviation. */
  readonly normal: Value;
  /** 1/√(variance + ε), of the reduced shape. */
  readonly inverse: Value;
}

/** Normalizes over axes anew: the operator does not hand out its statistics. */
function normalized(b: Builder, x: Value, axes: readonly number[], epsilon: number): Normalized {
  const centered = b.sub(x, b.mean(x, axes));
  const variance = b.mean(b.square(centered), axes);
  const inverse = b.op('Reciprocal', [b.sqrt(b.add(variance, epsilon))]);
  return { normal: b.mul(centered, inverse), inverse };
}

/**
 * Gradient through the normalization alone, g being the gradient by its result (Ioffe and Szegedy, 2015,
 * https://arxiv.org/abs/1502.03167, section 3): inverse·(g − mean g − normal·mean(g·normal)).
 */
const throughStatistics = (
  b: Builder,
  g: Value,
  { normal, inverse }: Normalized,
  axes: readonly number[],
): Value => b.mul(inverse, b.sub(b.sub(g, b.mean(g, axes)), b.mul(normal, b.mean(b.mul(g, normal), axes))));

const batchNormalization: Vjp = context => {
  const { build: b, gradient: g, node, input, shape } = context;
  const x = input(0);
  const rank = shape(0).length;
  const epsilon = node.float('epsilon', 1e-5);
  const axes = aroundChannels(rank);
  const scale = perChannel(b, input(1), rank);
  if (node.int('training_mode', 0) !== 0) {
    trainingIsSound(context);
    const { normal, inverse } = normalized(b, x, axes, epsilon);
    // The sums that scale and bias need serve the input too: scale is constant where the means are taken.
    const [byBias, byScale] = [b.sum(g, axes), b.sum(b.mul(g, normal), axes)]; // (C)
    const count = b.countRatio(x, byBias);
    const mean = (total: Value): Value => perChannel(b, b.div(total, count), rank);
    const inside = b.sub(b.sub(g, mean(byBias)), b.mul(normal, mean(byScale)));
    return [b.mul(b.mul(scale, inverse), inside), byScale, byBias];
  }
  const inverse = b.op('Reciprocal', [b.sqrt(b.add(input(4), epsilon))]); // (C)
  const factor = b.mul(input(1), inverse); // (C)
  const centered = b.sub(x, perChannel(b, input(3), rank));
  // Σ g·(x − mean) is what scale and variance both need.
  const correlation = b.sum(b.mul(g, centered), axes); // (C)
  const total = b.sum(g, axes); // (C)
  return [
    b.mul(g, perChannel(b, factor, rank)),
    b.mul(correlation, inverse),
    total,
    b.neg(b.mul(total, factor)),
    b.mul(b.mul(correlation, b.mul(factor, b.square(inverse))), -0.5),
  ];
};

function trainingIsSound({ node, input, outputGradients, fail }: VjpContext): void {
  if (outputGradients[1] || outputGradients[2]) {
    fail('the loss depends on its running statistics', 'Take them through stopGradient');
  }
  // ONNX Runtime updates both in place and would give wrong results.
  if (node.inputs[3] === node.inputs[4]) {
    fail(`"${input(3).name}" is both its mean and its variance`, 'Give each its own initializer');
  }
}

/** The axes that LayerNormalization and its kin normalize over. */
function trailing({ node, shape }: VjpContext): number[] {
  const rank = shape(0).length;
  const axis = node.int('axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  return Array.from({ length: rank - from }, (_, i) => from + i);
}

/**
 * What LayerNormalization normalizes to, from the statistics that it hands out; those are float32 at most, so other
 * dtypes compute them anew.
 */
function layerStatistics(context: VjpContext, axes: readonly number[]): Normalized {
  const { build: b, node, input, output, outputGradients } = context;
  const x = input(0);
  if (x.dtype !== 'float32' || node.int('stash_type', 1) !== 1) {
    if (outputGradients[1] || outputGradients[2]) context.fail('the loss depends on its statistics');
    return normalized(b, x, axes, node.float('epsilon', 1e-5));
  }
  const inverse = output(2);
  if (isPlain(context)) return { normal: output(0), inverse };
  return { normal: b.mul(b.sub(x, output(1)), inverse), inverse };
}

/** Whether the result is the normalization itself: a constant scale of 1, and a bias of 0 or none. */
function isPlain({ has, input, needs }: VjpContext): boolean {
  const holds = (i: number, number: number): boolean =>
    !needs(i) &&
    (Graph.constantOf(input(i))
      ?.toNumbers()
      .every(v => v === number) ??
      false);
  return holds(1, 1) && (!has(2) || holds(2, 0));
}

const layerNormalization: Vjp = context => {
  const { build: b, gradient: g, has, input, outputGradients } = context;
  const axes = trailing(context);
  const n = layerStatistics(context, axes);
  const plain = isPlain(context);
  let dx = throughStatistics(b, plain ? g : b.mul(g, input(1)), n, axes);
  // ∂mean/∂x = 1/n and ∂inverse/∂x = −inverse²·normal/n, for gradients of gradients.
  const [, byMean, byInverse] = outputGradients;
  const ratio = (): ReturnType<typeof b.countRatio> => b.countRatio(input(0), n.inverse);
  if (byMean) dx = b.add(dx, b.div(byMean, ratio()));
  if (byInverse) {
    const weight = b.div(b.mul(byInverse, b.neg(b.square(n.inverse))), ratio());
    dx = b.add(dx, b.mul(weight, n.normal));
  }
  if (plain) return [dx];
  return [dx, b.reduceLike(b.mul(g, n.normal), input(1)), has(2) ? b.reduceLike(g, input(2)) : null];
};

/** x/√(mean x² + ε), scaled: inverse·(g − normal·mean(g·normal)) (Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467). */
const rmsNormalization: Vjp = context => {
  const { build: b, gradient: g, node, has, input } = context;
  const axes = trailing(context);
  const x = input(0);
  if (context.outputGradients[1]) context.fail('the loss depends on its statistics');
  const inverse = b.op('Reciprocal', [b.sqrt(b.add(b.mean(b.square(x), axes), node.float('epsilon', 1e-5)))]);
  const normal = b.mul(x, inverse);
  const scaled = b.mul(g, input(1));
  return [
    b.mul(inverse, b.sub(scaled, b.mul(normal, b.mean(b.mul(scaled, normal), axes)))),
    b.reduceLike(b.mul(g, normal), input(1)),
    has(2) ? b.reduceLike(g, input(2)) : null,
  ];
};

const instanceNormalization: Vjp = context => {
  const { build: b, gradient: g, node, input, shape } = context;
  const rank = shape(0).length;
  const axes = spatial(rank);
  const n = normalized(b, input(0), axes, node.float('epsilon', 1e-5));
  return [
    throughStatistics(b, b.mul(g, perChannel(b, input(1), rank)), n, axes),
    b.sum(b.mul(g, n.normal), aroundChannels(rank)),
    b.sum(g, aroundChannels(rank)),
  ];
};

/** Normalizes (N, C, …) over the channels of each group; scale and bias are per channel, before opset 21 per group. */
const groupNormalization: Vjp = context => {
  const { build: b, gradient: g, node, input, shape, opset } = context;
  const [x, scale] = [input(0), input(1)];
  const groups = node.int('num_groups', 1);
  const channels = shape(0)[1];
  if (typeof channels !== 'number') context.fail('the number of its channels is not known');
  const width = (channels as number) / groups;
  const [batch, , ...rest] = b.sizesOf(x);
  const target = b.shapeFrom([batch!, groups, width, ...rest]);
  const split = (v: Value): Value => b.reshape(v, target); // (N, G, C/G, …)
  const rank = shape(0).length + 1;
  const axes = Array.from({ length: rank - 2 }, (_, i) => i + 2);
  const n = normalized(b, split(x), axes, node.float('epsilon', 1e-5));
  const perGroup = opset < 21;
  // (G, C/G, 1, …) or (G, 1, 1, …)
  const factor = b.reshape(scale, [groups, perGroup ? 1 : width, ...rest.map(() => 1)]);
  const dx = throughStatistics(b, b.mul(split(g), factor), n, axes);
  const over = perGroup ? [0, ...axes] : [0, ...axes.slice(1)];
  const total = (v: Value): Value => b.reshapeLike(b.sum(v, over), scale);
  return [b.reshapeLike(dx, x), total(b.mul(split(g), n.normal)), total(split(g))];
};

/** ONNX adds 1e-9 to the deviation, which no gradient notices. */
const meanVarianceNormalization: Vjp = context => {
  const { build: b, gradient: g, node, input } = context;
  const axes = node.ints('axes', [0, 2, 3]);
  return [throughStatistics(b, g, normalized(b, input(0), axes, 0), axes)];
};

/** x over its norm along an axis. */
const lpNormalization = byExpansion(({ build: b, node, input, shape }) => {
  const rank = shape(0).length;
  const axis = node.int('axis', -1);
  const along = axis < 0 ? axis + rank : axis;
  const x = input(0);
  const total =
    node.int('p', 2) === 1
      ? b.sum(b.op('Abs', [x]), [along], true)
      : b.sqrt(b.sum(b.square(x), [along], true));
  return b.div(x, total);
});

/** x·(bias + α·m)^−β, where m averages x² over `size` neighbouring channels. */
const localResponse = byExpansion(({ build: b, node, input, fail }) => {
  const x = input(0);
  if (x.shape?.includes(0)) return x;
  const size = node.int('size') ?? fail('it has no size');
  const [batch, channels] = b.sizesOf(x);
  const rows = b.reshape(b.square(x), b.shapeFrom([batch!, 1, channels!, -1]));
  const before = Math.floor((size - 1) / 2);
  const average = b.op('AveragePool', [rows], {
    kernel_shape: [size, 1],
    pads: [before, 0, size - 1 - before, 0],
    count_include_pad: 1,
  });
  const base = b.add(b.mul(b.reshapeLike(average, x), node.float('alpha', 1e-4)), node.float('bias', 1));
  return b.mul(x, b.pow(base, -node.float('beta', 0.75)));
});

export const normalizationGradients: Gradients = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  SimplifiedLayerNormalization: rmsNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  LpNormalization: lpNormalization,
  LRN: localResponse,
};
