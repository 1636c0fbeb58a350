/**
 * Times training steps of jax-js on WebAssembly for bench/train.ts. It trains the MLP, the ViT and the GPT; a step of a
 * ResNet-20 on 32 images did not end within minutes. Arrays belong to whom they are passed to; `.ref` keeps them for another use.
 */
import { init, jit, nn, numpy as np, random, valueAndGrad } from '@jax-js/jax';
import { serve } from './serve.js';
import { GPT, MLP_WIDTHS, type TransformerSizes, VIT } from './sizes.js';

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

/** The mean cross-entropy of scores over their last dimension. */
function crossEntropy(logits: Array, oneHot: Array): Array {
  return np.mean(nn.logsumexp(logits.ref, -1).sub(np.sum(logits.mul(oneHot), -1)));
}

/** What an optimizer makes of a parameter, its gradient and its states. The last argument counts steps from 1. */
type Update = (weight: Array, gradient: Array, states: Array[], step: Array) => [Array, ...Array[]];

const sgd: Update = (weight, gradient, [momentum]) => {
  const next = momentum!.mul(0.9).add(gradient.add(weight.ref.mul(5e-4)));
  return [weight.sub(next.ref.mul(0.01)), next];
};

const adamW: Update = (weight, gradient, [first, second], step) => {
  const m = first!.mul(0.9).add(gradient.ref.mul(0.1));
  const v = second!.mul(0.999).add(np.square(gradient).mul(0.001));
  const unbiased = (x: Array, beta: number): Array =>
    x.div(np.subtract(1, np.exp(step.ref.mul(Math.log(beta)))));
  const direction = unbiased(m.ref, 0.9).div(np.sqrt(unbiased(v.ref, 0.999)).add(1e-8));
  step.dispose();
  return [weight.mul(1 - 3e-4 * 0.01).sub(direction.mul(3e-4)), m, v];
};

/** Steps on one batch, each compiled as one function. */
function trained(
  { list }: Parameters,
  forward: Forward,
  { x, labels, update, states }: { x: Array; labels: Array; update: Update; states: number },
): () => Promise<void> {
  let weights = list;
  let kept = list.flatMap(w => Array.from({ length: states }, () => np.zeros(w.shape)));
  const lossOf = (parameters: Array[], input: Array, y: Array): Array =>
    crossEntropy(forward(parameters, input), y);
  const step = jit((parameters: Array[], before: Array[], input: Array, y: Array, count: Array) => {
    const given = parameters.map(p => p.ref);
    const [loss, gradients] = valueAndGrad(lossOf)(given, input, y) as [Array, Array[]];
    const next = parameters.map((p, i) =>
      update(p, gradients[i]!, before.slice(i * states, (i + 1) * states), count.ref),
    );
    count.dispose();
    return [loss, next.map(([p]) => p), next.flatMap(([, ...after]) => after)] as [Array, Array[], Array[]];
  });
  let count = 0;
  return async () => {
    const [loss, nextWeights, nextStates] = step(weights, kept, x.ref, labels.ref, np.array(++count));
    weights = nextWeights;
    kept = nextStates;
    const [value] = await loss.data();
    if (!Number.isFinite(value)) throw new Error(`the loss became ${value}`);
  };
}

/** Ones and zeros for labels that go round. */
const oneHotLabels = (count: number, classes: number): Array =>
  nn.oneHot(np.array(Int32Array.from({ length: count }, (_, i) => (7 * i) % classes)), classes);

function mlp(): () => Promise<void> {
  const widths = MLP_WIDTHS;
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
  return trained(parameters, forward, {
    x: random.normal(random.key(999), [128, widths[0]!]),
    labels: oneHotLabels(128, 10),
    update: sgd,
    states: 1,
  });
}

/** The blocks of a transformer, normalized first, and the normalization after them: (batch, tokens, features). */
function transformer(parameters: Parameters, sizes: TransformerSizes): Forward {
  const { batch, tokens, features, depth, heads, hidden, isCausal } = sizes;
  const dense = (before: number, after: number) =>
    [parameters.normal([before, after], 0.02), parameters.fill(after, 0)] as const;
  const normalization = () => [parameters.fill(features, 1), parameters.fill(features, 0)] as const;
  const blocks = Array.from({ length: depth }, () => ({
    norms: [normalization(), normalization()] as const,
    qkv: dense(features, 3 * features),
    output: dense(features, features),
    mlp: [dense(features, hidden), dense(hidden, features)] as const,
  }));
  const last = normalization();
  return (p, images) => {
    const apply = (x: Array, [weight, bias]: readonly [number, number]): Array =>
      np.matmul(x, p[weight]!).add(p[bias]!);
    const norm = (x: Array, [scale, shift]: readonly [number, number]): Array =>
      nn.standardize(x, -1).mul(p[scale]!).add(p[shift]!);
    let x = images;
    for (const { norms, qkv, output, mlp } of blocks) {
      const parts = np.split(apply(norm(x.ref, norms[0]), qkv), 3, -1);
      const [q, k, v] = parts.map(part =>
        np.transpose(part.reshape([batch, tokens, heads, features / heads]), [0, 2, 1, 3]),
      ) as [Array, Array, Array]; // (batch, heads, tokens, width)
      const products = np.matmul(q.mul((features / heads) ** -0.5), np.transpose(k, [0, 1, 3, 2]));
      const scores = isCausal ? products.add(np.tri(tokens).sub(1).mul(3e4)) : products;
      const merged = np.transpose(np.matmul(nn.softmax(scores, -1), v), [0, 2, 1, 3]);
      const attended = merged.reshape([batch, tokens, features]);
      x = x.add(apply(attended, output));
      const active = nn.gelu(apply(norm(x.ref, norms[1]), mlp[0]), { approximate: isCausal });
      x = x.add(apply(active, mlp[1]));
    }
    return norm(x, last);
  };
}

function vit(): () => Promise<void> {
  const { batch, tokens, features } = VIT;
  const parameters = new Parameters();
  // Patches that tile the image are rows of a matrix: their convolution is a product.
  const patch = [parameters.normal([48, features], 0.02), parameters.fill(features, 0)] as const;
  const position = parameters.normal([tokens, features], 0.02);
  const body = transformer(parameters, VIT);
  const head = [parameters.normal([features, 10], 0.02), parameters.fill(10, 0)] as const;
  const forward: Forward = (p, x) => {
    const tiles = np.transpose(x.reshape([batch, 3, 8, 4, 8, 4]), [0, 2, 4, 1, 3, 5]);
    const rows = np.matmul(tiles.reshape([batch, tokens, 48]), p[patch[0]]!).add(p[patch[1]]!);
    const mean = np.mean(body(p, rows.add(p[position]!)), 1);
    return np.matmul(mean, p[head[0]]!).add(p[head[1]]!);
  };
  return trained(parameters, forward, {
    x: random.normal(random.key(999), [batch, 3, 32, 32]),
    labels: oneHotLabels(batch, 10),
    update: adamW,
    states: 2,
  });
}

function gpt(): () => Promise<void> {
  const { batch, tokens, features } = GPT;
  const parameters = new Parameters();
  const words = parameters.normal([256, features], 0.02);
  const positions = parameters.normal([tokens, features], 0.02);
  const body = transformer(parameters, GPT);
  // Tokens are given as rows with a single one, which a product looks up; the head shares the table.
  const forward: Forward = (p, x) => {
    const looked = np.matmul(x, p[words]!.ref).add(p[positions]!);
    return np.matmul(body(p, looked), np.transpose(p[words]!));
  };
  const rows = (shift: number): Array =>
    oneHotLabels(batch * tokens + shift, 256)
      .slice([shift])
      .reshape([batch, tokens, 256]);
  return trained(parameters, forward, { x: rows(0), labels: rows(1), update: adamW, states: 2 });
}

await serve('@jax-js/jax', { 'mlp-b128': mlp, 'vit-b64': vit, 'gpt-b16': gpt });
