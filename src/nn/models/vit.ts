import type { Value } from '../../graph/value.js';
import { normal, zeros } from '../initializers.js';
import { add } from '../layers/activation.js';
import { headWidth, multiHeadAttention } from '../layers/attention.js';
import { conv2d } from '../layers/conv.js';
import { dropout } from '../layers/dropout.js';
import { feedForward } from '../layers/feed-forward.js';
import { tokenAt } from '../layers/head.js';
import { linear } from '../layers/linear.js';
import { layerNorm } from '../layers/normalization.js';
import { patchesPerSide } from '../layers/patches.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';
import { checkSizes } from '../sizes.js';

export interface VitOptions extends NetworkOptions {
  /** Height and width of the images; default 224. */
  readonly imageSize?: number;
  /** Default 16. */
  readonly patchSize?: number;
  /** Default 3. */
  readonly channels?: number;
  /** Default 1000. */
  readonly classes?: number;
  /** Width of the tokens; default 768. */
  readonly features?: number;
  /** Blocks; default 12. */
  readonly depth?: number;
  /** Default 12. */
  readonly heads?: number;
  /** Width of a head; default features / heads. */
  readonly headDim?: number;
  /** Width inside the MLP; default 4 × features. */
  readonly hiddenFeatures?: number;
  /** What the classifier sees: a class token, or the mean of all tokens. Default `token`. */
  readonly pool?: 'token' | 'mean';
  /** Default 0. */
  readonly dropout?: number;
}

/** Weights as timm draws them: it cuts the normal at ±2, which is 100 deviations. */
const LINEAR = { weightInit: normal(0.02), biasInit: zeros };

/**
 * Vision Transformer, `pixel_values` (batch, channels, height, width) → `logits` (batch, classes). Named as in timm:
 * `cls_token`, `pos_embed`, `patch_embed.proj`, `blocks.0.attn.qkv`, …, `norm`, `head`; with mean pooling as timm's
 * `class_token=False, global_pool='avg'`, `fc_norm` after the mean instead of `norm`. The defaults are ViT-B/16.
 * @throws WhittleError where patches do not tile the image, and for sizes that do not divide or are no whole numbers
 * Dosovitskiy et al., ICLR 2021.
 */
export function vit(options: VitOptions = {}): Network {
  const { imageSize = 224, patchSize = 16, channels = 3, classes = 1000 } = options;
  const { features = 768, depth = 12, heads = 12, pool = 'token', dropout: rate = 0 } = options;
  const { headDim = headWidth(features, heads), hiddenFeatures = 4 * features } = options;
  checkSizes({ depth });
  const side = patchesPerSide({ imageSize, patchSize });

  const network = new Network(options);
  const scope = new Scope(network);
  const images = network.input('pixel_values', 'float32', ['batch', channels, imageSize, imageSize]);
  let x = dropout(scope, embed(scope, images, { patchSize, channels, features, side, pool }), rate);
  for (let i = 0; i < depth; i++) {
    const block = scope.at('blocks', i);
    const attended = multiHeadAttention(block.at('attn'), norm(block.at('norm1'), x, features), {
      features,
      heads,
      headDim,
      names: { projections: { fused: 'qkv' }, output: 'proj' },
      linear: LINEAR,
    });
    x = add(block, x, dropout(block, attended, rate));
    const expanded = feedForward(block.at('mlp'), norm(block.at('norm2'), x, features), {
      features,
      hiddenFeatures,
      activation: 'gelu',
      dropout: rate,
      linear: LINEAR,
    });
    x = add(block, x, dropout(block, expanded, rate));
  }
  const summary =
    pool === 'token'
      ? tokenAt(scope, norm(scope.at('norm'), x, features), 0)
      : norm(scope.at('fc_norm'), meanOfTokens(scope, x), features);
  network.output(
    'logits',
    linear(scope.at('head'), summary, { inFeatures: features, outFeatures: classes, ...LINEAR }),
  );
  return network;
}

const norm = (scope: Scope, x: Value, features: number): Value =>
  layerNorm(scope, x, { features, epsilon: 1e-6 });

const meanOfTokens = (scope: Scope, x: Value): Value =>
  scope.op('ReduceMean', [x, scope.int64(1)], { keepdims: 0 });

interface EmbedOptions {
  readonly patchSize: number;
  readonly channels: number;
  readonly features: number;
  readonly side: number;
  readonly pool: 'token' | 'mean';
}

/** Patches as tokens, with the class token before them and positions added: (batch, tokens, features). */
function embed(scope: Scope, images: Value, options: EmbedOptions): Value {
  const { patchSize, channels, features, side, pool } = options;
  const patches = conv2d(scope.at('patch_embed', 'proj'), images, {
    inChannels: channels,
    outChannels: features,
    kernelSize: patchSize,
    stride: patchSize,
  }); // (batch, features, side, side)
  const rows = scope.reshape(patches, 0, features, side * side);
  let tokens = scope.transpose(rows, 0, 2, 1); // (batch, side², features)
  let count = side * side;
  if (pool === 'token') {
    count++;
    const token = scope.parameter('cls_token', [1, 1, features], {
      kind: 'embedding',
      initializer: normal(1e-6),
    });
    const shape = scope.op('Concat', [scope.dimension(images, 0), scope.int64(1, features)], { axis: 0 });
    const each = scope.op('Expand', [token, shape]);
    tokens = scope.op('Concat', [each, tokens], { axis: 1 });
  }
  const positions = scope.parameter('pos_embed', [1, count, features], {
    kind: 'embedding',
    initializer: normal(0.02),
  });
  return add(scope, tokens, positions);
}
