import type { Value } from '../../graph/value.js';
import type { Scope } from '../scope.js';
import { type Activation, activation } from './activation.js';
import { dropout } from './dropout.js';
import { type LinearOptions, linear } from './linear.js';

export interface FeedForwardOptions {
  readonly features: number;
  readonly hiddenFeatures: number;
  readonly activation: Activation;
  /** Names of the two layers; default `fc1` and `fc2`. */
  readonly names?: readonly [string, string];
  readonly dropout?: number;
  readonly linear?: Pick<LinearOptions, 'layout' | 'weightInit' | 'biasInit' | 'bias'>;
  /** Initializer of the second weight, where it differs. */
  readonly outputInit?: LinearOptions['weightInit'];
}

/**
 * A transformer's MLP: linear, activation, linear.
 * @param x (…, features)
 * @returns (…, features)
 */
export function feedForward(scope: Scope, x: Value, options: FeedForwardOptions): Value {
  const { features, hiddenFeatures, names: [first, second] = ['fc1', 'fc2'] } = options;
  const hidden = linear(scope.at(first), x, {
    ...options.linear,
    inFeatures: features,
    outFeatures: hiddenFeatures,
  });
  const active = dropout(scope, activation(scope, hidden, options.activation), options.dropout ?? 0);
  return linear(scope.at(second), active, {
    ...options.linear,
    ...(options.outputInit && { weightInit: options.outputInit }),
    inFeatures: hiddenFeatures,
    outFeatures: features,
  });
}
