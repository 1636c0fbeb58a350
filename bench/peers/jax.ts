/**
 * Times training steps of jax-js on WebAssembly for bench/train.ts. It trains the MLP; a step of a ResNet-20 on 32
 * images did not end within minutes. Arrays belong to whom they are passed to; `.ref` keeps them for another use.
 */
import { init, jit, nn, numpy as np, random, valueAndGrad } from '@jax-js/jax';
import { serve } from './serve.js';

type Array = np.Array;
/** The output of a network: parameters, by the order in which they were made, and the input. */
type Forward = (parameters: readonly Array[], x: Array) => Array;

await init('wasm'); // Node has no WebGPU

/** Parameters as they are made, each a function of its place in the list. */
class Parameters {
  readonly list: Array[] = [];

  normal(shape: number[], std: number): number {
    return this.list.push(random.normal(random.key(this.list.length), shape).mul(std)) - 1;
  }

  fill(size: number, value: number): number {
    return this.list.push(np.full([size], value)) - 1;
  }
}

/** SGD with momentum and weight decay on the mean cross-entropy, compiled as one function. */
function trained({ list }: Parameters, forward: Forward, shape: number[]): () => Promise<void> {
  let weights = list;
  let momenta = weights.map(w => np.zeros(w.shape));
  const images = random.normal(random.key(999), shape);
  const labels = nn.oneHot(np.array(Int32Array.from({ length: shape[0]! }, (_, i) => i % 10)), 10);
  const lossOf = (parameters: Array[], x: Array, y: Array): Array => {
    const logits = forward(parameters, x);
    return np.mean(nn.logsumexp(logits.ref, -1).sub(np.sum(logits.mul(y), -1)));
  };
  const step = jit((parameters: Array[], velocity: Array[], x: Array, y: Array) => {
    const given = parameters.map(p => p.ref);
    const [loss, gradients] = valueAndGrad(lossOf)(given, x, y) as [Array, Array[]];
    const next = velocity.map((v, i) => v.mul(0.9).add(gradients[i]!.add(parameters[i]!.ref.mul(5e-4))));
    return [loss, parameters.map((p, i) => p.sub(next[i]!.ref.mul(0.01))), next] as [Array, Array[], Array[]];
  });
  return async () => {
    const [loss, nextWeights, nextMomenta] = step(weights, momenta, images.ref, labels.ref);
    weights = nextWeights;
    momenta = nextMomenta;
    const [value] = await loss.data();
    if (!Number.isFinite(value)) throw new Error(`the loss became ${value}`);
  };
}

function mlp(): () => Promise<void> {
  const widths = [784, 1024, 1024, 10];
  const parameters = new Parameters();
  const layers = widths.slice(1).map((out, i) => {
    const width = widths[i]!;
    return [parameters.normal([width, out], Math.sqrt(2 / width)), parameters.fill(out, 0)] as const;
  });
  const forward: Forward = (p, x) =>
    layers.reduce((hidden, [weight, bias], i) => {
      const y = np.matmul(hidden, p[weight]!).add(p[bias]!);
      return i + 1 < layers.length ? nn.relu(y) : y;
    }, x);
  return trained(parameters, forward, [128, widths[0]!]);
}

await serve('@jax-js/jax', { 'mlp-b128': mlp });
