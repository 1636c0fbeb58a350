import { dtypeAttribute } from './cast.js';
import { convCost, convShape } from './conv.js';
import { defineOp, type InferContext, type OpDefinition } from './definition.js';
import { perElement } from './elementwise.js';
import { matMulCost, matMulShape } from './matmul.js';
import { quantizationGradients } from './quantize-gradient.js';
import { withGradients } from './vjp.js';

/** The parameters of a quantizer are of one dtype and shape. */
function checkScale(context: InferContext, scale: number, zeroPoint: number): void {
  const a = context.shape(scale);
  const b = context.has(zeroPoint) ? context.shape(zeroPoint) : undefined;
  if (a && b && a.length !== b.length) context.fail('scale and zero point differ in rank');
}

const quantizeLinear = defineOp({
  op: 'QuantizeLinear',
  infer(context) {
    checkScale(context, 1, 2);
    const dtype = context.has(2) ? context.dtype(2) : (dtypeAttribute(context, 'output_dtype') ?? 'uint8');
    context.set(0, dtype, context.shape(0));
  },
  cost: perElement(3),
});

const dequantizeLinear = defineOp({
  op: 'DequantizeLinear',
  infer(context) {
    checkScale(context, 1, 2);
    context.set(0, dtypeAttribute(context, 'output_dtype') ?? context.dtype(1), context.shape(0));
  },
  cost: perElement(2),
});

const dynamicQuantizeLinear = defineOp({
  op: 'DynamicQuantizeLinear',
  infer(context) {
    context.set(0, 'uint8', context.shape(0));
    context.set(1, 'float32', []);
    context.set(2, 'uint8', []);
  },
  cost: perElement(5),
});

const matMulInteger = defineOp({
  op: 'MatMulInteger',
  infer: context => context.set(0, 'int32', matMulShape(context, context.shape(0), context.shape(1))),
  cost: matMulCost(0),
});

const convInteger = defineOp({
  op: 'ConvInteger',
  infer: context => context.set(0, 'int32', convShape(context, context.shape(0), context.shape(1))),
  cost: convCost(1),
});

// QLinear operators: (a, scale, zero point, b, scale, zero point, output scale, output zero point, …)

const qLinearConv = defineOp({
  op: 'QLinearConv',
  infer: context => context.set(0, context.dtype(7), convShape(context, context.shape(0), context.shape(3))),
  cost: convCost(3),
});

const qLinearMatMul = defineOp({
  op: 'QLinearMatMul',
  infer: context =>
    context.set(0, context.dtype(7), matMulShape(context, context.shape(0), context.shape(3))),
  cost: matMulCost(0),
});

const definitions: readonly OpDefinition[] = [
  quantizeLinear,
  dequantizeLinear,
  dynamicQuantizeLinear,
  matMulInteger,
  convInteger,
  qLinearConv,
  qLinearMatMul,
];

export const quantization: readonly OpDefinition[] = withGradients(definitions, quantizationGradients);
