import { addDims, divExact, mulDims } from '../dims.js';
import { sizeOf } from '../tensor.js';
import type { Dim, Shape } from '../value.js';
import { normalizeAxis, withDim } from './axes.js';
import { broadcastShapes } from './broadcast.js';
import { convCost, convShape } from './conv.js';
import {
  type CostContext,
  defineOp,
  flops,
  type InferContext,
  macs,
  type OpCost,
  type OpDefinition,
} from './definition.js';
import { commonDType, perElement, sameAsFirst } from './elementwise.js';
import { matMulCost, matMulShape } from './matmul.js';
import { microsoftGradients } from './microsoft-gradient.js';
import { withGradients } from './vjp.js';

const DOMAIN = 'com.microsoft';

type Part = Omit<OpDefinition, 'op' | 'domain'>;

/** One of ONNX Runtime's own operators. */
const contrib = (op: string, inputs: readonly [number, number], part: Part): OpDefinition =>
  defineOp({ op, domain: DOMAIN, inputs, ...part });

/** The last two axes exchanged where the attribute says so. */
const transposed = (shape: Shape | undefined, flag: number): Shape | undefined =>
  flag && shape && shape.length > 1 ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;

const fusedMatMul: Part = {
  infer(context) {
    const { node } = context;
    const a = transposed(context.shape(0), node.int('transA', 0));
    const b = transposed(context.shape(1), node.int('transB', 0));
    const moved = node.int('transBatchA', 0) || node.int('transBatchB', 0);
    context.set(0, commonDType(context, [0, 1]), moved ? undefined : matMulShape(context, a, b));
  },
  cost(context) {
    const inner = context.shape(0).at(context.node.int('transA', 0) ? -2 : -1)!;
    return macs(sizeOf(context.outputShape(0)) * inner);
  },
};

/** A (…, K) times a packed weight of N columns; the attributes say K and N. */
const packedMatMul: Part = {
  required: ['K', 'N'],
  infer(context) {
    const a = context.shape(0);
    const [k, n] = [context.node.int('K'), context.node.int('N')];
    if (typeof a?.at(-1) === 'number' && k !== undefined && a.at(-1) !== k) {
      context.fail(`input has ${a.at(-1)} columns, K is ${k}`);
    }
    context.set(0, context.dtype(0), a && [...a.slice(0, -1), n ?? null]);
  },
  cost: matMulCost(0),
};

const gatherBlockQuantized: Part = {
  infer(context) {
    const data = context.shape(0);
    const indices = context.shape(1);
    const axis = data && normalizeAxis(context, context.node.int('gather_axis', 0), data.length);
    // Bytes hold two 4-bit entries; the sub-byte dtypes count entries themselves.
    const packed = context.dtype(0) === 'uint8' ? 8 / context.node.int('bits', 4) : 1;
    const entries = data && withDim(data, data.length - 1, mulDims(data.at(-1) ?? null, packed));
    const shape = entries && indices && [...entries.slice(0, axis), ...indices, ...entries.slice(axis! + 1)];
    context.set(0, context.dtype(2), shape);
  },
  cost: perElement(2),
};

/** (input, skip, gamma, …) → (output, mean, inverse deviation, sum). */
const skipLayerNormalization: Part = {
  infer(context) {
    const x = context.shape(0);
    sameAsFirst(context);
    const statistics = x && [...x.slice(0, -1), 1];
    context.set(1, 'float32', statistics);
    context.set(2, 'float32', statistics);
    context.set(3, context.dtype(0), x);
  },
  cost: perElement(9),
};

const embedLayerNormalization: Part = {
  infer(context) {
    const ids = context.shape(0); // (batch, length)
    const table = context.shape(2); // (words, hidden)
    const shape = [ids?.[0] ?? null, ids?.[1] ?? null, table?.[1] ?? null];
    context.set(0, context.dtype(2), shape);
    context.set(1, 'int32', [shape[0]!]);
    context.set(2, context.dtype(2), shape);
  },
  cost: perElement(9),
};

/** (input (batch, length, in), weights (in, q + k + v), bias, mask, past, …). */
const selfAttention: Part = {
  required: ['num_heads'],
  infer(context) {
    const x = context.shape(0);
    const heads = context.node.int('num_heads', 1);
    const sizes = context.node.ints('qkv_hidden_sizes');
    const hidden: Dim = sizes?.[2] ?? divExact(context.shape(1)?.[1] ?? null, 3);
    const past = context.has(4) ? (context.shape(4)?.[3] ?? null) : 0;
    const [batch, length] = [x?.[0] ?? null, x?.[1] ?? null];
    context.set(0, context.dtype(0), [batch, length, hidden]);
    context.set(1, context.dtype(0), [2, batch, heads, addDims(past, length), divExact(hidden, heads)]);
  },
  cost(context) {
    const [batch, length] = context.shape(0) as [number, number];
    const [, packed] = context.shape(1) as [number, number];
    const total = length + (context.has(4) ? context.shape(4)[3]! : 0);
    const projection = batch * length * sizeOf(context.shape(1));
    return macs(projection + 2 * batch * length * total * (packed / 3));
  },
};

const multiHeadAttention: Part = {
  required: ['num_heads'],
  infer(context) {
    const query = context.shape(0);
    const heads = context.node.int('num_heads', 1);
    const [batch, length] = [query?.[0] ?? null, query?.[1] ?? null];
    const value = context.has(2) ? context.shape(2) : undefined; // (batch, length, hidden) or (batch, heads, length, width)
    const wide = value?.length === 4 ? mulDims(value[1]!, value[3]!) : (value?.[2] ?? null);
    const packed = query?.length === 5 ? mulDims(query[2]!, query[4]!) : wide;
    context.set(0, context.dtype(0), [batch, length, packed]);
    const past = context.has(6) ? (context.shape(6)?.[2] ?? null) : 0;
    const own = value?.length === 4 ? value[2]! : (value?.[1] ?? null);
    const present = [batch, heads, addDims(past, own), divExact(packed, heads)];
    context.set(1, context.dtype(0), present);
    context.set(2, context.dtype(0), present);
  },
  cost(context) {
    const query = context.shape(0);
    if (!context.has(2)) return macs(0);
    const value = context.shape(2);
    const length = value[value.length - 2]! + (context.has(6) ? context.shape(6)[2]! : 0);
    return macs((sizeOf(query) + sizeOf(context.outputShape(0))) * length);
  },
};

const groupQueryAttention: Part = {
  required: ['num_heads', 'kv_num_heads'],
  infer(context) {
    const query = context.shape(0); // (batch, length, hidden), or q, k and v packed
    const heads = context.node.int('num_heads', 1);
    const shared = context.node.int('kv_num_heads', 1);
    const packed = !context.has(1);
    const width = divExact(query?.[2] ?? null, packed ? heads + 2 * shared : heads);
    const [batch, length] = [query?.[0] ?? null, query?.[1] ?? null];
    context.set(0, context.dtype(0), [batch, length, mulDims(width, heads)]);
    for (const i of [1, 2]) context.set(i, context.dtype(0), [batch, shared, null, width]);
  },
};

/** y = x ⊕ bias, then an activation. */
const biased = (steps: number): Part => ({
  infer: context => context.set(0, commonDType(context, [0, 1]), context.shape(0)),
  cost: perElement(steps),
});

const matMulOfFloat: Part = {
  infer: context => context.set(0, 'float32', matMulShape(context, context.shape(0), context.shape(1))),
  cost: matMulCost(0),
};

/** (a, scale, zero point, b, scale, zero point, output scale, …), elementwise. */
const qLinearBinary: Part = {
  infer: context =>
    context.set(0, context.dtype(0), broadcastShapes(context, [context.shape(0), context.shape(3)])),
  cost: perElement(5),
};

const qGemm: Part = {
  infer(context) {
    const a = transposed(context.shape(0), context.node.int('transA', 0));
    const b = transposed(context.shape(3), context.node.int('transB', 0));
    context.set(0, context.has(8) ? context.dtype(8) : 'float32', matMulShape(context, a, b));
  },
  cost: context =>
    macs(sizeOf(context.outputShape(0)) * context.shape(0).at(context.node.int('transA', 0) ? 0 : 1)!),
};

const fusedConv: Part = {
  infer: context => context.set(0, context.dtype(0), convShape(context, context.shape(0), context.shape(1))),
  cost: convCost(1),
};

const fusedGemm: Part = {
  infer(context: InferContext) {
    const a = transposed(context.shape(0), context.node.int('transA', 0));
    const b = transposed(context.shape(1), context.node.int('transB', 0));
    context.set(0, commonDType(context, [0, 1]), matMulShape(context, a, b));
  },
  cost: (context: CostContext): OpCost =>
    macs(sizeOf(context.outputShape(0)) * context.shape(0).at(context.node.int('transA', 0) ? 0 : 1)!),
};

const same = (steps: number): Part => ({ infer: sameAsFirst, cost: perElement(steps) });

export const microsoft: readonly OpDefinition[] = withGradients(
  [
    contrib('FusedMatMul', [2, 2], fusedMatMul),
    contrib('TransposeMatMul', [2, 2], fusedMatMul),
    contrib('FusedGemm', [2, 3], fusedGemm),
    contrib('FusedConv', [2, 4], fusedConv),
    contrib('MatMulNBits', [3, 6], { ...packedMatMul, required: ['K', 'N', 'block_size'] }),
    contrib('MatMulBnb4', [3, 3], packedMatMul),
    contrib('GatherBlockQuantized', [3, 4], gatherBlockQuantized),
    contrib('DynamicQuantizeMatMul', [3, 5], matMulOfFloat),
    contrib('MatMulIntegerToFloat', [4, 7], {
      infer: context =>
        context.set(0, context.dtype(2), matMulShape(context, context.shape(0), context.shape(1))),
      cost: matMulCost(0),
    }),
    contrib('QLinearAdd', [7, 8], qLinearBinary),
    contrib('QLinearMul', [7, 8], qLinearBinary),
    contrib('QLinearSigmoid', [4, 5], same(5)),
    contrib('QLinearLeakyRelu', [4, 5], same(3)),
    contrib('QLinearSoftmax', [5, 5], same(6)),
    contrib('QGemm', [6, 9], qGemm),
    contrib('QuantizeLinear', [2, 3], {
      infer: context => context.set(0, context.has(2) ? context.dtype(2) : 'uint8', context.shape(0)),
      cost: perElement(3),
    }),
    contrib('DequantizeLinear', [2, 3], {
      infer: context => context.set(0, context.dtype(1), context.shape(0)),
      cost: perElement(2),
    }),
    contrib('Gelu', [1, 1], same(5)),
    contrib('FastGelu', [1, 2], same(6)),
    contrib('QuickGelu', [1, 1], same(4)),
    contrib('BiasGelu', [2, 2], biased(6)),
    contrib('BiasSoftmax', [2, 2], biased(5)),
    contrib('BiasAdd', [3, 3], biased(2)),
    contrib('SkipLayerNormalization', [3, 5], skipLayerNormalization),
    contrib('SkipSimplifiedLayerNormalization', [3, 4], skipLayerNormalization),
    contrib('EmbedLayerNormalization', [7, 9], embedLayerNormalization),
    contrib('GroupNorm', [3, 3], same(7)),
    contrib('RotaryEmbedding', [4, 4], same(3)),
    contrib('Attention', [2, 7], selfAttention),
    contrib('MultiHeadAttention', [1, 10], multiHeadAttention),
    contrib('GroupQueryAttention', [7, 16], groupQueryAttention),
    contrib('Trilu', [1, 2], { infer: sameAsFirst }),
    contrib('Inverse', [1, 1], { infer: sameAsFirst }),
    contrib('CDist', [2, 2], {
      infer: context =>
        context.set(0, context.dtype(0), [context.shape(0)?.[0] ?? null, context.shape(1)?.[0] ?? null]),
      cost: context => flops(3 * sizeOf(context.outputShape(0)) * context.shape(0)[1]!),
    }),
  ],
  microsoftGradients,
);
