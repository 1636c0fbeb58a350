import { normal, zeros } from '../initializers.js';
import { add } from '../layers/activation.js';
import { causalMask, headWidth, multiHeadAttention } from '../layers/attention.js';
import { dropout } from '../layers/dropout.js';
import { embedding } from '../layers/embedding.js';
import { feedForward } from '../layers/feed-forward.js';
import { linear } from '../layers/linear.js';
import { layerNorm } from '../layers/normalization.js';
import { rotaryTable } from '../layers/rotary.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';
import { checkSizes } from '../sizes.js';

export interface PhiOptions extends NetworkOptions {
  /** Default 51200. */
  readonly vocabulary?: number;
  /** Default 2560. */
  readonly features?: number;
  /** Blocks; default 32. */
  readonly depth?: number;
  /** Default 32. */
  readonly heads?: number;
  /** Width of a head; default features / heads. */
  readonly headDim?: number;
  /** Width inside the MLP; default 4 × features. */
  readonly hiddenFeatures?: number;
  /** Share of each head's dimensions that rotate; default 0.4. */
  readonly rotaryFraction?: number;
  /** Base of the rotary wave lengths; default 10000. */
  readonly rotaryBase?: number;
  /** Default 0. */
  readonly dropout?: number;
}

/**
 * A decoder in the manner of Phi-2, `input_ids` (batch, tokens) int64 → `logits` (batch, tokens, vocabulary): rotary
 * positions, attention and MLP side by side on one normalized input. Named as in Hugging Face's `PhiForCausalLM`.
 * Texts in a batch are of one length. The defaults are Phi-2.
 * @throws WhittleError where the part of a head that rotates is odd, and for sizes that do not divide or are no whole
 * numbers
 * Li et al., "Textbooks are all you need II: phi-1.5 technical report", arXiv:2309.05463.
 */
export function phi(options: PhiOptions = {}): Network {
  const { vocabulary = 51200, features = 2560, depth = 32, heads = 32, rotaryFraction = 0.4 } = options;
  const {
    headDim = headWidth(features, heads),
    hiddenFeatures = 4 * features,
    rotaryBase,
    dropout: rate = 0,
  } = options;
  checkSizes({ depth });
  const weightInit = normal(0.02);
  const projection = { weightInit, biasInit: zeros };

  const network = new Network(options);
  network.basePrefix = 'model.';
  const root = new Scope(network);
  const scope = root.at('model');
  const ids = network.input('input_ids', 'int64', ['batch', 'tokens']);
  const tokens = scope.dimension(ids, 1);
  const words = embedding(scope.at('embed_tokens'), ids, { count: vocabulary, features, weightInit });
  let x = dropout(scope, words, rate); // (batch, tokens, features)
  const mask = causalMask(scope, tokens);
  const dim = Math.floor(headDim * rotaryFraction);
  const rotary = rotaryTable(scope, tokens, {
    headDim,
    dim,
    ...(rotaryBase !== undefined && { base: rotaryBase }),
  });
  for (let i = 0; i < depth; i++) {
    const block = scope.at('layers', i);
    const normalized = layerNorm(block.at('input_layernorm'), x, { features });
    const attended = multiHeadAttention(block.at('self_attn'), normalized, {
      features,
      heads,
      headDim,
      mask,
      causal: true,
      rotary,
      names: { projections: { query: 'q_proj', key: 'k_proj', value: 'v_proj' }, output: 'dense' },
      linear: projection,
    });
    const expanded = feedForward(block.at('mlp'), normalized, {
      features,
      hiddenFeatures,
      activation: 'gelu-tanh',
      linear: projection,
    });
    const change = add(block, dropout(block, attended, rate), dropout(block, expanded, rate));
    x = add(block, x, change);
  }
  const final = layerNorm(scope.at('final_layernorm'), x, { features });
  const head = { inFeatures: features, outFeatures: vocabulary, ...projection };
  network.output('logits', linear(root.at('lm_head'), final, head));
  return network;
}
