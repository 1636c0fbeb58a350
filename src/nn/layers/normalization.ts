import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import { type Initializer, ones, zeros } from '../initializers.js';
import type { Scope } from '../scope.js';

export interface BatchNormOptions {
  readonly features: number;
  /** Added to the variance; default 1e-5. */
  readonly epsilon?: number;
  /** Weight of the new batch in the running statistics, as PyTorch counts it; default 0.1. */
  readonly momentum?: number;
  /** Initial value of `weight`; zeros make a residual branch start as nothing. Default ones. */
  readonly weightInit?: Initializer;
}

/**
 * Normalizes each channel over batch and positions. Parameters: `weight`, `bias`; buffers `running_mean` and
 * `running_var`, whose next values the training form puts into `network.updates`.
 *
 * The running variance follows ONNX: it averages the batch's variance divided by n, where PyTorch divides by n − 1
 * (n = batch × positions).
 * @param x (batch, features, …)
 * Ioffe & Szegedy, ICML 2015.
 */
export function batchNorm(scope: Scope, x: Value, options: BatchNormOptions): Value {
  const { features, epsilon = 1e-5, momentum = 0.1, weightInit = ones } = options;
  const weight = scope.parameter('weight', [features], { kind: 'scale', initializer: weightInit });
  const bias = scope.parameter('bias', [features], { kind: 'bias', initializer: zeros });
  const mean = scope.parameter('running_mean', [features], { kind: 'buffer', initializer: zeros });
  const variance = scope.parameter('running_var', [features], { kind: 'buffer', initializer: ones });
  const inputs = [x, weight, bias, mean, variance];
  const attributes = { epsilon, momentum: 1 - momentum };
  if (!scope.training) return scope.op('BatchNormalization', inputs, attributes);

  const node = scope.node(
    'BatchNormalization',
    inputs,
    { ...attributes, training_mode: 1 },
    {
      outputs: [`${scope.path}/normalized`, `${mean.name}.next`, `${variance.name}.next`],
    },
  );
  const [output, nextMean, nextVariance] = node.outputs;
  scope.network.updates.set(mean.name, nextMean!);
  scope.network.updates.set(variance.name, nextVariance!);
  return output!;
}

export interface LayerNormOptions {
  /** Size of the last dimension. */
  readonly features: number;
  /** Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * Normalizes over the last dimension. Parameters: `weight`, `bias`.
 * @param x (…, features)
 * Ba, Kiros & Hinton, arXiv:1607.06450.
 */
export function layerNorm(scope: Scope, x: Value, { features, epsilon = 1e-5 }: LayerNormOptions): Value {
  const weight = scope.parameter('weight', [features], { kind: 'scale', initializer: ones });
  const bias = scope.parameter('bias', [features], { kind: 'bias', initializer: zeros });
  return scope.op('LayerNormalization', [x, weight, bias], { axis: -1, epsilon });
}

/**
 * Normalizes groups of neighbouring channels. Parameters: `weight`, `bias`.
 * @param x (batch, features, …)
 * @throws WhittleError where the groups are not equal
 * Wu & He, ECCV 2018.
 */
export function groupNorm(
  scope: Scope,
  x: Value,
  { features, groups, epsilon = 1e-5 }: LayerNormOptions & { readonly groups: number },
): Value {
  if (!Number.isInteger(features / groups)) {
    throw new WhittleError(`${groups} groups do not divide ${features} features`, {
      node: scope.path,
      hint: 'Choose a number of groups that divides the features',
    });
  }
  const weight = scope.parameter('weight', [features], { kind: 'scale', initializer: ones });
  const bias = scope.parameter('bias', [features], { kind: 'bias', initializer: zeros });
  return scope.op('GroupNormalization', [x, weight, bias], { num_groups: groups, epsilon });
}

/**
 * x / √(mean x² + ε) · weight over the last dimension. Parameter: `weight`. Spelled out, since ONNX has the operator
 * from version 23 on only; ONNX Runtime fuses these nodes.
 * @param x (…, features)
 * Zhang & Sennrich, NeurIPS 2019.
 */
export function rmsNorm(scope: Scope, x: Value, { features, epsilon = 1e-6 }: LayerNormOptions): Value {
  const weight = scope.parameter('weight', [features], { kind: 'scale', initializer: ones });
  const square = scope.op('Pow', [x, scope.scalar(2)]);
  const mean = scope.op('ReduceMean', [square, scope.int64(-1)], { keepdims: 1 });
  const shifted = scope.op('Add', [mean, scope.scalar(epsilon)]);
  const root = scope.op('Sqrt', [shifted]);
  const normalized = scope.op('Div', [x, root]);
  return scope.op('Mul', [normalized, weight]);
}
