import type { Value } from '../../graph/value.js';
import { normal, ones } from '../initializers.js';
import { add } from '../layers/activation.js';
import { mergeHeads, splitHeads } from '../layers/attention.js';
import { feedForward } from '../layers/feed-forward.js';
import { linear } from '../layers/linear.js';
import { rmsNorm } from '../layers/normalization.js';
import { patchesPerSide, patchTokens } from '../layers/patches.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';
import { checkSizes } from '../sizes.js';

export interface XTransformersVitOptions extends NetworkOptions {
  /** Height and width of the images; default 32. */
  readonly imageSize?: number;
  /** Default 4. */
  readonly patchSize?: number;
  /** Default 3. */
  readonly channels?: number;
  /** Default 10. */
  readonly classes?: number;
  /** Width of the tokens; default 256. */
  readonly features?: number;
  /** Attentions; each has a feed-forward before and after it. Default 4. */
  readonly depth?: number;
  /** Default 6. */
  readonly heads?: number;
  /** Default 64, whatever the width of the tokens. */
  readonly headDim?: number;
  /** Width inside the feed-forward layers; default 4 × features. */
  readonly hiddenFeatures?: number;
}

/**
 * The vision transformer of catid's experiments with linear layers on CIFAR-10 (2024), `pixel_values` (batch, channels,
 * height, width) → `logits` (batch, classes): lucidrains' x-transformers with `use_rmsnorm`, `macaron` (feed-forward,
 * attention, feed-forward) and `residual_attn` (scores are added to those of the attention before; He et al.,
 * "RealFormer", 2021). Mean of all tokens, no class token. The defaults are theirs: 5 812 538 parameters.
 * @throws WhittleError where patches do not tile the image
 */
export function xTransformersVit(options: XTransformersVitOptions = {}): Network {
  const { imageSize = 32, patchSize = 4, channels = 3, classes = 10 } = options;
  const { features = 256, depth = 4, heads = 6, headDim = 64, hiddenFeatures = 4 * features } = options;
  checkSizes({ depth, heads, headDim });
  const network = new Network(options);
  const scope = new Scope(network);
  const images = network.input('pixel_values', 'float32', ['batch', channels, imageSize, imageSize]);
  const patches = patchTokens(scope, images, { imageSize, patchSize, channels });
  const width = patchSize * patchSize * channels;
  const embed = scope.at('patch_to_embedding');
  const tokens = linear(embed.at(1), gainNorm(embed.at(0), patches, width), {
    inFeatures: width,
    outFeatures: features,
  });
  const positions = scope.parameter(
    'pos_embedding',
    [1, patchesPerSide({ imageSize, patchSize }) ** 2, features],
    {
      kind: 'embedding',
      initializer: normal(),
    },
  );
  let x = add(scope, gainNorm(embed.at(2), tokens, features), positions);

  const layers = scope.at('attn_layers', 'layers');
  let scores: Value | undefined;
  for (let i = 0; i < 3 * depth; i++) {
    const layer = layers.at(i);
    const normalized = rmsNorm(layer.at(0), x, { features, epsilon: 1e-12 });
    if (i % 3 === 1) {
      const attended = residualAttention(layer.at(1), normalized, { features, heads, headDim, scores });
      scores = attended.scores;
      x = add(layer, x, attended.output);
    } else {
      x = add(
        layer,
        x,
        feedForward(layer.at(1, 'ff'), normalized, {
          features,
          hiddenFeatures,
          activation: 'gelu',
          names: ['0.0', '2'],
        }),
      );
    }
  }
  const final = rmsNorm(scope.at('attn_layers', 'final_norm'), x, { features, epsilon: 1e-12 });
  const mean = scope.op('ReduceMean', [final, scope.int64(1)], { keepdims: 0 });
  network.output(
    'logits',
    linear(scope.at('mlp_head'), mean, { inFeatures: features, outFeatures: classes }),
  );
  return network;
}

/** LayerNorm with a gain and no offset. */
function gainNorm(scope: Scope, x: Value, features: number): Value {
  const weight = scope.parameter('gamma', [features], { kind: 'scale', initializer: ones });
  return scope.op('LayerNormalization', [x, weight], { axis: -1, epsilon: 1e-5 });
}

interface ResidualAttentionOptions {
  readonly features: number;
  readonly heads: number;
  readonly headDim: number;
  /** Scores of the attention before. */
  readonly scores: Value | undefined;
}

/** Attention without biases whose scores, before softmax, are handed on to the next. */
function residualAttention(
  scope: Scope,
  x: Value,
  { features, heads, headDim, scores: before }: ResidualAttentionOptions,
): { output: Value; scores: Value } {
  const inner = heads * headDim;
  const [q, k, v] = ['to_q', 'to_k', 'to_v'].map(name => {
    const part = linear(scope.at(name), x, { inFeatures: features, outFeatures: inner, bias: false });
    return splitHeads(scope, part, heads, headDim);
  }) as [Value, Value, Value];
  const scaled = scope.op('Mul', [q, scope.scalar(headDim ** -0.5)]);
  let scores = scope.op('MatMul', [scaled, scope.transpose(k, 0, 1, 3, 2)]); // (batch, heads, tokens, tokens)
  if (before) scores = add(scope, scores, before);
  const attended = scope.op('MatMul', [scope.op('Softmax', [scores], { axis: -1 }), v]);
  const output = linear(scope.at('to_out'), mergeHeads(scope, attended, inner), {
    inFeatures: inner,
    outFeatures: features,
    bias: false,
  });
  const full = (name: string): string => scope.at(name).path;
  scope.record({
    kind: 'attention',
    path: scope.path,
    heads,
    headDim,
    projections: { query: full('to_q'), key: full('to_k'), value: full('to_v') },
    outputProjection: full('to_out'),
    causal: false,
  });
  return { output, scores };
}
