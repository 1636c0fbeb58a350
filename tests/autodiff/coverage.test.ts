import { describe, expect, it } from 'vitest';
import { OPS } from '../../src/graph/index.js';

/** Operators that trained networks are made of. */
const STANDARD = `
  Conv ConvTranspose MatMul Gemm Einsum
  Add Sub Mul Div Pow Neg Abs Sqrt Reciprocal Exp Log Erf Sign Clip Min Max Sum Mean Where
  Sigmoid Tanh Softplus Relu LeakyRelu PRelu Elu Selu Celu Gelu Swish HardSigmoid HardSwish Mish Softsign
  Softmax LogSoftmax Dropout Identity Cast
  LayerNormalization BatchNormalization InstanceNormalization GroupNormalization RMSNormalization LRN
  ReduceSum ReduceMean ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceLogSumExp ReduceSumSquare ReduceProd CumSum
  MaxPool AveragePool GlobalAveragePool GlobalMaxPool
  Gather GatherElements GatherND ScatterND ScatterElements
  Slice Concat Split Pad Reshape Transpose Squeeze Unsqueeze Flatten Expand Tile Trilu
  Resize DepthToSpace SpaceToDepth LSTM GRU RNN SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss
`;

describe('the registry', () => {
  it.each(STANDARD.trim().split(/\s+/))('has a gradient of %s', op => {
    expect(OPS.get('', op)?.vjp).toBeTypeOf('function');
  });
});
