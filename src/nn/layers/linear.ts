import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import { type Initializer, uniformFanIn } from '../initializers.js';
import type { Scope } from '../scope.js';

export interface LinearOptions {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Default uniform in ±1/√inFeatures, as in PyTorch, for weight and bias. */
  readonly weightInit?: Initializer;
  readonly biasInit?: Initializer;
  /** How the weight is stored: (out, in) by default, (in, out) as in GPT-2's Conv1D. */
  readonly layout?: 'out-in' | 'in-out';
}

/**
 * y = x Wᵀ + b over the last dimension. Parameters: `weight`, `bias`.
 * @param x (…, inFeatures)
 * @returns (…, outFeatures)
 * @throws WhittleError where x has another width
 */
export function linear(scope: Scope, x: Value, options: LinearOptions): Value {
  const { inFeatures, outFeatures, layout = 'out-in', bias: hasBias = true } = options;
  const { weightInit = uniformFanIn, biasInit = uniformFanIn } = options;
  const width = x.shape?.at(-1);
  if (typeof width === 'number' && width !== inFeatures) {
    throw new WhittleError(`the layer takes ${inFeatures} features and gets ${width}`, {
      node: scope.path,
      hint: `Give inFeatures ${width}, or check the layer before`,
    });
  }
  const fans = { fanIn: inFeatures, fanOut: outFeatures };
  const dims = layout === 'out-in' ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
  const weight = scope.parameter('weight', dims, { kind: 'weight', initializer: weightInit, ...fans });
  const bias = hasBias
    ? scope.parameter('bias', [outFeatures], { kind: 'bias', initializer: biasInit, ...fans })
    : null;
  const output = project(scope, x, weight, bias, layout);
  const { network, path } = scope;
  scope.record({
    kind: 'linear',
    path,
    input: x,
    output,
    weight: network.parameter(weight.name),
    bias: bias ? network.parameter(bias.name) : undefined,
    inFeatures,
    outFeatures,
    layout,
  });
  return output;
}

/** x Wᵀ + b: one Gemm where x is known to be a matrix, else MatMul and Add. */
export function project(
  scope: Scope,
  x: Value,
  weight: Value,
  bias: Value | null,
  layout: 'out-in' | 'in-out' = 'out-in',
): Value {
  const transB = layout === 'out-in' ? 1 : 0;
  if (x.shape?.length === 2) return scope.op('Gemm', bias ? [x, weight, bias] : [x, weight], { transB });
  const right = transB ? scope.transpose(weight, 1, 0) : weight;
  const product = scope.op('MatMul', [x, right]);
  return bias ? scope.op('Add', [product, bias]) : product;
}
