/**
 * Times training steps of TensorFlow.js on WebAssembly for bench/train.ts. Its WebAssembly has no gradient of
 * convolutions by their filters, so that of the benchmark's models it trains those without: the MLP, the GPT and the
 * ViT, whose patches are rows of a product.
 */
import { createRequire } from 'node:module';
import { serve } from './serve.js';
import { GPT, MLP_WIDTHS, type TransformerSizes, VIT } from './sizes.js';

interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Variable extends Tensor {
  readonly name: string;
  assign(value: Tensor): void;
}

/** What is used of @tensorflow/tfjs, which is not among our dependencies. */
interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  tidy<T>(work: () => T): T;
  variable(initial: Tensor): Variable;
  randomNormal(shape: number[], mean: number, std: number): Tensor;
  zeros(shape: number[]): Tensor;
  oneHot(indices: number[], depth: number): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  add(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor | number): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sqrt(x: Tensor): Tensor;
  rsqrt(x: Tensor): Tensor;
  tanh(x: Tensor): Tensor;
  erf(x: Tensor): Tensor;
  softmax(x: Tensor): Tensor;
  reshape(x: Tensor, shape: number[]): Tensor;
  transpose(x: Tensor, permutation: number[]): Tensor;
  split(x: Tensor, parts: number, axis: number): Tensor[];
  tensor2d(values: Float32Array, shape: [number, number]): Tensor;
  relu(x: Tensor): Tensor;
  logSumExp(x: Tensor, axis: number): Tensor;
  sum(x: Tensor, axis: number): Tensor;
  mean(x: Tensor, axis?: number, keepDims?: boolean): Tensor;
  variableGrads(loss: () => Tensor): { value: Tensor; grads: Record<string, Tensor> };
}

// Packages that are there only where somebody has installed them.
const load = createRequire(import.meta.url);
const tf = load('@tensorflow/tfjs') as TensorFlow;
const wasm = load('@tensorflow/tfjs-backend-wasm') as { setThreadsCount(count: number): void };
wasm.setThreadsCount(Number(process.argv[2]));
await tf.setBackend('wasm');

/** Parameters as they are made. */
class Parameters {
  readonly list: { readonly value: Variable; readonly shape: number[] }[] = [];

  normal(shape: number[], std: number): Variable {
    return this.add(tf.randomNormal(shape, 0, std), shape);
  }

  zeros(size: number): Variable {
    return this.add(tf.zeros([size]), [size]);
  }

  ones(size: number): Variable {
    return this.add(tf.add(tf.zeros([size]), 1), [size]);
  }

  private add(initial: Tensor, shape: number[]): Variable {
    const value = tf.variable(initial);
    this.list.push({ value, shape });
    return value;
  }
}

/** Changes a parameter and its states by its gradient. The last argument counts steps from 1. */
type Update = (weight: Variable, gradient: Tensor, states: readonly Variable[], step: number) => void;

const sgd: Update = (weight, gradient, [momentum]) => {
  const decayed = tf.add(gradient, tf.mul(weight, 5e-4));
  momentum!.assign(tf.add(tf.mul(momentum!, 0.9), decayed));
  weight.assign(tf.sub(weight, tf.mul(momentum!, 0.01)));
};

const adamW: Update = (weight, gradient, [first, second], step) => {
  first!.assign(tf.add(tf.mul(first!, 0.9), tf.mul(gradient, 0.1)));
  second!.assign(tf.add(tf.mul(second!, 0.999), tf.mul(tf.square(gradient), 0.001)));
  const m = tf.mul(first!, 1 / (1 - 0.9 ** step));
  const v = tf.mul(second!, 1 / (1 - 0.999 ** step));
  const change = tf.mul(tf.div(m, tf.add(tf.sqrt(v), 1e-8)), 3e-4);
  weight.assign(tf.sub(tf.mul(weight, 1 - 3e-4 * 0.01), change));
};

/** Steps on one batch. @param scores (rows, classes) @param labels as many rows with a single one */
function trained(
  { list }: Parameters,
  scores: () => Tensor,
  { labels, update, states }: { labels: Tensor; update: Update; states: number },
): () => Promise<void> {
  const parameters = list.map(({ value, shape }) => ({
    value,
    states: Array.from({ length: states }, () => tf.variable(tf.zeros(shape))),
  }));
  const lossOf = (): Tensor => {
    const logits = scores();
    return tf.mean(tf.sub(tf.logSumExp(logits, -1), tf.sum(tf.mul(logits, labels), -1)));
  };
  let count = 0;
  return async () => {
    count++;
    const loss = tf.tidy(() => {
      const { value, grads } = tf.variableGrads(lossOf);
      for (const { value: weight, states: kept } of parameters)
        update(weight, grads[weight.name]!, kept, count);
      return value;
    });
    const [value] = await loss.data();
    loss.dispose();
    if (!Number.isFinite(value)) throw new Error(`the loss became ${value}`);
  };
}

/** Rows with a single one, which goes round. */
const oneHot = (count: number, classes: number, shift = 0): Tensor =>
  tf.oneHot(
    Array.from({ length: count }, (_, i) => (7 * (i + shift)) % classes),
    classes,
  );

function mlp(): () => Promise<void> {
  const widths = MLP_WIDTHS;
  const parameters = new Parameters();
  const layers = widths.slice(1).map((out, i) => ({
    weight: parameters.normal([widths[i]!, out], Math.sqrt(2 / widths[i]!)),
    bias: parameters.zeros(out),
  }));
  const images = tf.randomNormal([128, widths[0]!], 0, 1);
  const scores = (): Tensor =>
    layers.reduce<Tensor>((hidden, { weight, bias }, i) => {
      const y = tf.add(tf.matMul(hidden, weight), bias);
      return i + 1 < layers.length ? tf.relu(y) : y;
    }, images);
  return trained(parameters, scores, { labels: oneHot(128, 10), update: sgd, states: 1 });
}

const gelu = (x: Tensor): Tensor => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));

const geluByTanh = (x: Tensor): Tensor => {
  const inner = tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(tf.mul(inner, Math.sqrt(2 / Math.PI))), 1));
};

/** The blocks of a transformer, normalized first, and the normalization after them: rows of (batch · tokens, features). */
function transformer(parameters: Parameters, sizes: TransformerSizes): (x: Tensor) => Tensor {
  const { batch, tokens, features, depth, heads, hidden, isCausal } = sizes;
  const dense = (before: number, after: number) => {
    const [weight, bias] = [parameters.normal([before, after], 0.02), parameters.zeros(after)];
    return (x: Tensor): Tensor => tf.add(tf.matMul(x, weight), bias);
  };
  const normalization = () => {
    const [scale, shift] = [parameters.ones(features), parameters.zeros(features)];
    return (x: Tensor): Tensor => {
      const centred = tf.sub(x, tf.mean(x, -1, true));
      const factor = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-5));
      return tf.add(tf.mul(tf.mul(centred, factor), scale), shift);
    };
  };
  const blocks = Array.from({ length: depth }, () => ({
    norms: [normalization(), normalization()] as const,
    qkv: dense(features, 3 * features),
    output: dense(features, features),
    mlp: [dense(features, hidden), dense(hidden, features)] as const,
  }));
  const last = normalization();
  const width = features / heads;
  const hide = Float32Array.from({ length: tokens * tokens }, (_, i) => (i % tokens > i / tokens ? -3e4 : 0));
  const mask = tf.tensor2d(hide, [tokens, tokens]);
  return images => {
    let x = images;
    for (const { norms, qkv, output, mlp: layers } of blocks) {
      const [q, k, v] = tf
        .split(qkv(norms[0](x)), 3, -1)
        .map(part => tf.transpose(tf.reshape(part, [batch, tokens, heads, width]), [0, 2, 1, 3])) as [
        Tensor,
        Tensor,
        Tensor,
      ]; // (batch, heads, tokens, width)
      const products = tf.matMul(tf.mul(q, width ** -0.5), k, false, true);
      const weights = tf.softmax(isCausal ? tf.add(products, mask) : products);
      const merged = tf.transpose(tf.matMul(weights, v), [0, 2, 1, 3]);
      x = tf.add(x, output(tf.reshape(merged, [batch * tokens, features])));
      x = tf.add(x, layers[1]((isCausal ? geluByTanh : gelu)(layers[0](norms[1](x)))));
    }
    return last(x);
  };
}

function vit(): () => Promise<void> {
  const { batch, tokens, features } = VIT;
  const parameters = new Parameters();
  const patch = { weight: parameters.normal([48, features], 0.02), bias: parameters.zeros(features) };
  const positions = parameters.normal([tokens, features], 0.02);
  const body = transformer(parameters, VIT);
  const head = { weight: parameters.normal([features, 10], 0.02), bias: parameters.zeros(10) };
  const images = tf.randomNormal([batch, 3, 32, 32], 0, 1);
  const scores = (): Tensor => {
    const tiles = tf.transpose(tf.reshape(images, [batch, 3, 8, 4, 8, 4]), [0, 2, 4, 1, 3, 5]);
    const rows = tf.add(tf.matMul(tf.reshape(tiles, [batch * tokens, 48]), patch.weight), patch.bias);
    const placed = tf.add(tf.reshape(rows, [batch, tokens, features]), positions);
    const seen = tf.reshape(body(tf.reshape(placed, [batch * tokens, features])), [batch, tokens, features]);
    return tf.add(tf.matMul(tf.mean(seen, 1), head.weight), head.bias);
  };
  return trained(parameters, scores, { labels: oneHot(batch, 10), update: adamW, states: 2 });
}

function gpt(): () => Promise<void> {
  const { batch, tokens, features } = GPT;
  const parameters = new Parameters();
  const words = parameters.normal([256, features], 0.02);
  const positions = parameters.normal([tokens, features], 0.02);
  const body = transformer(parameters, GPT);
  const ids = oneHot(batch * tokens, 256);
  // A product looks tokens up, and the head shares the table.
  const scores = (): Tensor => {
    const looked = tf.reshape(tf.matMul(ids, words), [batch, tokens, features]);
    const seen = body(tf.reshape(tf.add(looked, positions), [batch * tokens, features]));
    return tf.matMul(seen, words, false, true);
  };
  return trained(parameters, scores, { labels: oneHot(batch * tokens, 256, 1), update: adamW, states: 2 });
}

await serve('@tensorflow/tfjs', { 'mlp-b128': mlp, 'vit-b64': vit, 'gpt-b16': gpt });
