import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OPS } from '../../src/graph/index.js';
import { DRAWS } from './draws/index.js';

const guide = readFileSync(new URL('../../docs/adding-a-gradient.md', import.meta.url), 'utf8');

/** Operators that trained networks are made of. */
const STANDARD = `
  Conv ConvTranspose MatMul Gemm Einsum
  Add Sub Mul Div Pow Neg Abs Sqrt Reciprocal Exp Log Erf Sign Clip Min Max Sum Mean Where
  Sigmoid Tanh Softplus Relu LeakyRelu PRelu Elu Selu Celu Gelu Swish HardSigmoid HardSwish Mish Softsign
  Softmax LogSoftmax Dropout Identity Cast
  LayerNormalization BatchNormalization InstanceNormalization GroupNormalization RMSNormalization LRN
  ReduceSum ReduceMean ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceLogSumExp ReduceSumSquare ReduceProd CumSum
  MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool
  Gather GatherElements GatherND ScatterND ScatterElements
  Slice Concat Split Pad Reshape Transpose Squeeze Unsqueeze Flatten Expand Tile Trilu
  Resize DepthToSpace SpaceToDepth LSTM GRU RNN SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss
  Attention RotaryEmbedding DequantizeLinear
`;

/** Whose outputs are integers or drawn at random, so that there is nothing to compare. */
const WITHOUT_DIFFERENCES = new Set(
  'Shape Size NonZero ArgMax ArgMin RandomNormalLike RandomUniformLike Bernoulli'.split(' '),
);

/** ONNX Runtime's CPU has no kernel of it. */
const WITHOUT_KERNEL = new Set(['Swish']);

const differentiable = [...OPS]
  .filter(({ vjp }) => vjp)
  .map(({ domain, op }) => (domain === '' ? op : `${domain}.${op}`));

/** What the section of the guide lists between backticks. */
const documented = (heading: string): string[] => {
  const section = guide.split(`## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return [...section.matchAll(/^- .*$/gm)].flatMap(([line]) =>
    [...line.matchAll(/`([\w.]+)`/g)].map(([, name]) => name!),
  );
};

describe('the guide', () => {
  it('lists the operators without a gradient', () => {
    const names = [...OPS]
      .filter(({ vjp }) => !vjp)
      .map(({ domain, op }) => (domain === '' ? op : `${domain}.${op}`));
    expect(documented('What has none').sort()).toEqual(names.sort());
  });
});

describe('the registry', () => {
  it.each(STANDARD.trim().split(/\s+/))('has a gradient of %s', op => {
    expect(OPS.get('', op)?.vjp).toBeTypeOf('function');
  });

  it('has no gradient that is not compared with differences at random shapes', () => {
    const compared = new Set([...Object.keys(DRAWS), ...WITHOUT_DIFFERENCES, ...WITHOUT_KERNEL]);
    expect(differentiable.filter(op => !compared.has(op))).toEqual([]);
    expect([...compared].filter(op => !differentiable.includes(op))).toEqual([]);
  });
});
