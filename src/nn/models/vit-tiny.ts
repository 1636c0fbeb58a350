import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { constant, normal } from '../initializers.js';
import { add } from '../layers/activation.js';
import { MASKED, mergeHeads, splitHeads } from '../layers/attention.js';
import { dropout } from '../layers/dropout.js';
import { feedForward } from '../layers/feed-forward.js';
import { tokenAt } from '../layers/head.js';
import { linear } from '../layers/linear.js';
import { layerNorm } from '../layers/normalization.js';
import { patchesPerSide, patchTokens } from '../layers/patches.js';
import { spectralLinear } from '../layers/spectral-linear.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';
import { checkSizes } from '../sizes.js';

export interface VitTinyOptions extends NetworkOptions {
  /** Height and width of the images; default 32. */
  readonly imageSize?: number;
  /** Default 4. */
  readonly patchSize?: number;
  /** Default 3. */
  readonly channels?: number;
  /** Default 10. */
  readonly classes?: number;
  /** Width of the tokens; default 512. */
  readonly features?: number;
  /** Default 4. */
  readonly depth?: number;
  /** Default 6. */
  readonly heads?: number;
  /** Default 64, whatever the width of the tokens. */
  readonly headDim?: number;
  /** Width inside the feed-forward layers; default 256. */
  readonly hiddenFeatures?: number;
  /** Default 0.1. */
  readonly dropout?: number;
}

/**
 * The ViT-tiny of catid's experiments with DYAD on CIFAR-10 (2024), `pixel_values` (batch, channels, height, width) →
 * `logits` (batch, classes): a vision transformer for small data (Lee et al., "Vision transformer for small-size
 * datasets", 2021: patches see shifted copies of the image; attention has a learned temperature and leaves out the token
 * itself) without normalization in its blocks; projections of attention are spectrally normalized instead. The defaults
 * are theirs: 4 363 254 parameters; their DYAD arm has `hiddenFeatures` 1024 in DYAD layers of 8 blocks.
 * @throws WhittleError where patches do not tile the image
 */
export function vitTiny(options: VitTinyOptions = {}): Network {
  const { imageSize = 32, patchSize = 4, channels = 3, classes = 10 } = options;
  const { features = 512, depth = 4, heads = 6, headDim = 64, hiddenFeatures = 256 } = options;
  const { dropout: rate = 0.1 } = options;
  checkSizes({ depth, heads, headDim });
  const network = new Network(options);
  const scope = new Scope(network);
  const images = network.input('pixel_values', 'float32', ['batch', channels, imageSize, imageSize]);
  let x = dropout(scope, embed(scope, images, { imageSize, patchSize, channels, features }), rate);

  const tokens = patchesPerSide({ imageSize, patchSize }) ** 2 + 1;
  for (let i = 0; i < depth; i++) {
    const layer = scope.at('transformer', 'layers', i);
    const attended = localityAttention(layer.at(0), x, { features, heads, headDim, tokens });
    x = add(layer, x, dropout(layer, attended, rate));
    const expanded = feedForward(layer.at(1, 'ffn'), x, {
      features,
      hiddenFeatures,
      activation: 'gelu',
      names: ['0', '3'],
      dropout: rate,
    });
    x = add(layer, x, dropout(layer, expanded, rate));
  }
  const head = scope.at('mlp_head');
  const summary = layerNorm(head.at(0), tokenAt(scope, x, 0), { features });
  network.output('logits', linear(head.at(1), summary, { inFeatures: features, outFeatures: classes }));
  return network;
}

interface EmbedOptions {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
  readonly features: number;
}

/** Patches of the image and of four copies shifted by a pixel, with the class token before them and positions added. */
function embed(
  scope: Scope,
  images: Value,
  { imageSize, patchSize, channels, features }: EmbedOptions,
): Value {
  const padded = scope.op('Pad', [images, scope.int64(0, 0, 1, 1, 0, 0, 1, 1)]);
  const window = (row: number, column: number): Value => {
    const ends = scope.int64(row + imageSize, column + imageSize);
    return scope.op('Slice', [padded, scope.int64(row, column), ends, scope.int64(2, 3)]);
  };
  const copies = [images, window(1, 0), window(1, 2), window(0, 1), window(2, 1)];
  const stacked = scope.op('Concat', copies, { axis: 1 });
  const width = patchSize * patchSize * 5 * channels;
  const patches = patchTokens(scope, stacked, { imageSize, patchSize, channels: 5 * channels });
  const to = scope.at('to_patch_embedding', 'to_patch_tokens');
  const normalized = layerNorm(to.at(1), patches, { features: width });
  const tokens = linear(to.at(2), normalized, { inFeatures: width, outFeatures: features });

  const token = scope.parameter('cls_token', [1, 1, features], { kind: 'embedding', initializer: normal() });
  const shape = scope.op('Concat', [scope.dimension(images, 0), scope.int64(1, features)], { axis: 0 });
  const all = scope.op('Concat', [scope.op('Expand', [token, shape]), tokens], { axis: 1 });
  const count = patchesPerSide({ imageSize, patchSize }) ** 2 + 1;
  const positions = scope.parameter('pos_embedding', [1, count, features], {
    kind: 'embedding',
    initializer: normal(),
  });
  return add(scope, all, positions);
}

interface AttentionOptions {
  readonly features: number;
  readonly heads: number;
  readonly headDim: number;
  readonly tokens: number;
}

/** Attention with a learned temperature in which no token looks at itself. */
function localityAttention(
  scope: Scope,
  x: Value,
  { features, heads, headDim, tokens }: AttentionOptions,
): Value {
  const inner = heads * headDim;
  const temperature = scope.parameter('temperature', [], {
    kind: 'scale',
    initializer: constant(Math.log(headDim ** -0.5)),
  });
  const all = spectralLinear(scope.at('to_qkv'), x, {
    inFeatures: features,
    outFeatures: 3 * inner,
    bias: false,
  });
  const [q, k, v] = scope.split(all, 3).map(part => splitHeads(scope, part, heads, headDim)) as [
    Value,
    Value,
    Value,
  ];
  const products = scope.op('MatMul', [q, scope.transpose(k, 0, 1, 3, 2)]); // (batch, heads, tokens, tokens)
  const scores = scope.op('Mul', [products, scope.op('Exp', [temperature])]);
  const itself = scope.constant(`itself/${tokens}`, () => {
    const mask = new Float32Array(tokens * tokens);
    for (let i = 0; i < tokens; i++) mask[i * tokens + i] = MASKED;
    return Tensor.float32([tokens, tokens], mask);
  });
  const weights = scope.op('Softmax', [add(scope, scores, itself)], { axis: -1 });
  const attended = mergeHeads(scope, scope.op('MatMul', [weights, v]), inner);
  return spectralLinear(scope.at('to_out', 0), attended, { inFeatures: inner, outFeatures: features });
}
