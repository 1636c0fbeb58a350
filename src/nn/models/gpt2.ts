import { normal, zeros } from '../initializers.js';
import { add } from '../layers/activation.js';
import { causalMask, headWidth, multiHeadAttention } from '../layers/attention.js';
import { dropout } from '../layers/dropout.js';
import { embedding, positionEmbedding } from '../layers/embedding.js';
import { feedForward } from '../layers/feed-forward.js';
import { tiedProjection } from '../layers/head.js';
import { layerNorm } from '../layers/normalization.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';
import { checkSizes } from '../sizes.js';

export interface Gpt2Options extends NetworkOptions {
  /** Default 50257. */
  readonly vocabulary?: number;
  /** Default 768. */
  readonly features?: number;
  /** Blocks; default 12. */
  readonly depth?: number;
  /** Default 12. */
  readonly heads?: number;
  /** Width of a head; default features / heads. */
  readonly headDim?: number;
  /** Width inside the MLP; default 4 × features. */
  readonly hiddenFeatures?: number;
  /** Most tokens of a text; default 1024. */
  readonly maxTokens?: number;
  /** Default 0.1. */
  readonly dropout?: number;
}

/**
 * GPT-2, `input_ids` (batch, tokens) int64 → `logits` (batch, tokens, vocabulary), causal. Named as in Hugging Face's
 * `GPT2LMHeadModel`; its linear layers (`Conv1D` there) store weights as (in, out), and the head shares the token
 * embeddings. Texts in a batch are of one length. The defaults are the smallest GPT-2.
 * @throws WhittleError for sizes that do not divide or are no whole numbers
 * Radford et al., "Language models are unsupervised multitask learners", 2019.
 */
export function gpt2(options: Gpt2Options = {}): Network {
  const { vocabulary = 50257, features = 768, depth = 12, heads = 12, maxTokens = 1024 } = options;
  const {
    headDim = headWidth(features, heads),
    hiddenFeatures = 4 * features,
    dropout: rate = 0.1,
  } = options;
  checkSizes({ depth });
  const weightInit = normal(0.02);
  const linear = { layout: 'in-out', weightInit, biasInit: zeros } as const;
  // What adds to the residual stream starts smaller, so that its variance does not grow with depth.
  const outputInit = normal(0.02 / Math.sqrt(2 * depth));

  const network = new Network(options);
  network.basePrefix = 'transformer.';
  const root = new Scope(network);
  const scope = root.at('transformer');
  const ids = network.input('input_ids', 'int64', ['batch', 'tokens']);
  const tokens = scope.dimension(ids, 1);
  const words = embedding(scope.at('wte'), ids, { count: vocabulary, features, weightInit });
  const positions = positionEmbedding(scope.at('wpe'), tokens, { count: maxTokens, features, weightInit });
  let x = dropout(scope, add(scope, words, positions), rate); // (batch, tokens, features)
  const mask = causalMask(scope, tokens);
  for (let i = 0; i < depth; i++) {
    const block = scope.at('h', i);
    const attended = multiHeadAttention(block.at('attn'), layerNorm(block.at('ln_1'), x, { features }), {
      features,
      heads,
      headDim,
      mask,
      causal: true,
      dropout: rate,
      names: { projections: { fused: 'c_attn' }, output: 'c_proj' },
      linear,
      outputInit,
    });
    x = add(block, x, dropout(block, attended, rate));
    const expanded = feedForward(block.at('mlp'), layerNorm(block.at('ln_2'), x, { features }), {
      features,
      hiddenFeatures,
      activation: 'gelu-tanh',
      names: ['c_fc', 'c_proj'],
      linear,
      outputInit,
    });
    x = add(block, x, dropout(block, expanded, rate));
  }
  const final = layerNorm(scope.at('ln_f'), x, { features });
  const table = network.parameter('transformer.wte.weight');
  network.aliases.set('lm_head.weight', table.name);
  network.output(
    'logits',
    tiedProjection(root.at('lm_head'), final, table.value, { count: vocabulary, features }),
  );
  return network;
}
