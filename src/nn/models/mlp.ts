import { type Activation, activation } from '../layers/activation.js';
import { dropout } from '../layers/dropout.js';
import { linear } from '../layers/linear.js';
import { flatten } from '../layers/pool.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';

export interface MlpOptions extends NetworkOptions {
  /** Widths from input to output: `[784, 1024, 1024, 10]`. */
  readonly widths: readonly number[];
  /** Shape of one example where it is no vector, e.g. `[1, 28, 28]`; it is flattened. */
  readonly inputShape?: readonly number[];
  /** Default `relu`. */
  readonly activation?: Activation;
  /** Dropout rate after each activation; default 0. */
  readonly dropout?: number;
}

/**
 * A multi-layer perceptron, `input` (batch, widths[0]) → `logits` (batch, last width). Parameters are named as in
 * `torch.nn.Sequential(Linear, ReLU, Linear, …)`: `0.weight`, `2.weight`, …; with dropout `0`, `3`, `6`, ….
 */
export function mlp(options: MlpOptions): Network {
  const { widths, inputShape = [widths[0]!], activation: kind = 'relu', dropout: rate = 0 } = options;
  const network = new Network(options);
  const scope = new Scope(network);
  const input = network.input('input', 'float32', ['batch', ...inputShape]);
  let x = inputShape.length > 1 ? flatten(scope, input) : input;
  const stride = rate > 0 ? 3 : 2; // modules per layer
  for (let i = 0; i + 1 < widths.length; i++) {
    x = linear(scope.at(i * stride), x, { inFeatures: widths[i]!, outFeatures: widths[i + 1]! });
    if (i + 2 < widths.length) x = dropout(scope, activation(scope.at(i * stride + 1), x, kind), rate);
  }
  network.output('logits', x);
  return network;
}
