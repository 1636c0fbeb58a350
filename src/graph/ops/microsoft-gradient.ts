import type { Value } from '../value.js';
import { geluSlope, swishSlope, tanhGeluSlope } from './activation-gradient.js';
import type { Builder } from './builder.js';
import { unary } from './elementwise-gradient.js';
import { microsoftAttentionGradients } from './microsoft-attention-gradient.js';
import { packedMatMul, quantizationGradients } from './quantize-gradient.js';
import { shapeGradients } from './shape-gradient.js';
import { byExpansion, type Gradients, type Vjp, type VjpContext } from './vjp.js';

/** The last two axes exchanged where the attribute says so. */
function maybeSwapped({ build: b, node, input, shape }: VjpContext, index: number, flag: string): Value {
  const rank = shape(index).length;
  if (node.int(flag, 0) === 0 || rank < 2) return input(index);
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm.splice(rank - 2, 2, rank - 1, rank - 2);
  return b.transpose(input(index), perm);
}

const fusedMatMul = byExpansion(context => {
  const { build: b, node, fail } = context;
  if (node.int('transBatchA', 0) || node.int('transBatchB', 0)) fail('transposed batches are not supported');
  const product = b.matmul(maybeSwapped(context, 0, 'transA'), maybeSwapped(context, 1, 'transB'));
  return b.mul(product, node.float('alpha', 1));
});

/** The activation that a fused operator ends in. */
function activated({ build: b, node, fail }: VjpContext, x: Value): Value {
  const name = node.string('activation');
  if (name === undefined) return x;
  const params = node.floats('activation_params');
  const alpha = params?.[0] ?? node.float('activation_alpha');
  const beta = params?.[1] ?? node.float('activation_beta');
  switch (name) {
    case 'Relu':
    case 'Tanh':
    case 'Sigmoid':
      return b.op(name, [x]);
    case 'LeakyRelu':
      return b.op(name, [x], { alpha });
    case 'HardSigmoid':
      return b.op(name, [x], { alpha, beta });
    case 'Clip':
      return b.op(name, [x, b.scalar(alpha!, x.dtype), b.scalar(beta!, x.dtype)]);
    default:
      return fail(`its activation ${name} is not supported`);
  }
}

/** The attributes of the operator that was fused, without those of the activation. */
const plain = ({ node }: VjpContext): Record<string, NonNullable<ReturnType<typeof node.attributes.get>>> =>
  Object.fromEntries([...node.attributes].filter(([name]) => !name.startsWith('activation')));

const fusedConv = byExpansion(context => {
  const { build: b, inputs, has, input } = context;
  const product = b.op('Conv', inputs.slice(0, 3), plain(context));
  return activated(context, has(3) ? b.add(product, input(3)) : product);
});

const fusedGemm = byExpansion(context =>
  activated(context, context.build.op('Gemm', context.inputs, plain(context))),
);

/** x plus a bias, then a function of one value with a known slope. */
const biased =
  (slope: (b: Builder, x: Value) => Value): Vjp =>
  ({ build: b, gradient: g, has, input }) => {
    const sum = has(1) ? b.add(input(0), input(1)) : input(0);
    const passed = b.mul(g, slope(b, sum));
    return [passed, has(1) ? b.reduceLike(passed, input(1)) : null];
  };

/** (input, skip, gamma, beta, bias) → (output, mean, inverse deviation, sum). */
const skipLayerNormalization = byExpansion(({ build: b, node, has, input }) => {
  const bare = b.add(input(0), input(1));
  const total = has(4) ? b.add(bare, input(4)) : bare;
  const affine = has(3) ? [input(2), input(3)] : [input(2)];
  const y = b.op('LayerNormalization', [total, ...affine], {
    axis: -1,
    epsilon: node.float('epsilon', 1e-5),
  });
  return [y, null, null, total];
});

/** (input, skip, gamma, bias). */
const skipRms = byExpansion(({ build: b, node, has, input }) => {
  const bare = b.add(input(0), input(1));
  const total = has(3) ? b.add(bare, input(3)) : bare;
  const axis = total.shape ? total.shape.length - 1 : 2;
  const inverse = b.op('Reciprocal', [
    b.sqrt(b.add(b.mean(b.square(total), [axis]), node.float('epsilon', 1e-5))),
  ]);
  return [b.mul(b.mul(total, inverse), input(2)), null, null, total];
});

/** dX⁻¹ = −X⁻¹·dX·X⁻¹. */
const inverse: Vjp = ({ build: b, gradient: g, output, shape }) => {
  const rank = shape(0).length;
  const swapped = [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2];
  const y = b.transpose(output(0), swapped);
  return [b.neg(b.matmul(b.matmul(y, g), y))];
};

/** Distances of all pairs of rows, (m, d) and (n, d) → (m, n). */
const distances = byExpansion(({ build: b, node, input }) => {
  const difference = b.sub(b.unsqueeze(input(0), [1]), b.unsqueeze(input(1), [0]));
  const squares = b.sum(b.square(difference), [2]);
  return node.string('metric', 'sqeuclidean') === 'euclidean' ? b.sqrt(squares) : squares;
});

/** Gradients of ONNX Runtime's own operators, through the standard ones that they fuse. */
export const microsoftGradients: Gradients = {
  FusedMatMul: fusedMatMul,
  TransposeMatMul: fusedMatMul,
  FusedConv: fusedConv,
  FusedGemm: fusedGemm,
  Gelu: biased(geluSlope),
  BiasGelu: biased(geluSlope),
  FastGelu: biased(tanhGeluSlope),
  QuickGelu: unary((b, x, _, { node }) => swishSlope(b, x, node.float('alpha', 1.702))),
  SkipLayerNormalization: skipLayerNormalization,
  SkipSimplifiedLayerNormalization: skipRms,
  ...microsoftAttentionGradients,
  MatMulNBits: packedMatMul,
  MatMulBnb4: packedMatMul,
  DequantizeLinear: quantizationGradients.DequantizeLinear!,
  Trilu: shapeGradients.Trilu!,
  Inverse: inverse,
  CDist: distances,
};
