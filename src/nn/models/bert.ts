import type { Value } from '../../graph/value.js';
import { normal, zeros } from '../initializers.js';
import { activation, add } from '../layers/activation.js';
import { headWidth, multiHeadAttention, paddingMask } from '../layers/attention.js';
import { dropout } from '../layers/dropout.js';
import { embedding, positionEmbedding } from '../layers/embedding.js';
import { feedForward } from '../layers/feed-forward.js';
import { tiedProjection, tokenAt } from '../layers/head.js';
import { linear } from '../layers/linear.js';
import { layerNorm } from '../layers/normalization.js';
import { Network, type NetworkOptions } from '../network.js';
import { Scope } from '../scope.js';
import { checkSizes } from '../sizes.js';

export interface BertOptions extends NetworkOptions {
  /** Default 30522. */
  readonly vocabulary?: number;
  /** Default 768; BERT-large 1024. */
  readonly features?: number;
  /** Layers; default 12; BERT-large 24. */
  readonly depth?: number;
  /** Default 12; BERT-large 16. */
  readonly heads?: number;
  /** Width of a head; default features / heads. */
  readonly headDim?: number;
  /** Width inside the MLP; default 4 × features. */
  readonly hiddenFeatures?: number;
  /** Most tokens of a text; default 512. */
  readonly maxTokens?: number;
  /** Kinds of segment; default 2. */
  readonly segments?: number;
  /** Default 0.1. */
  readonly dropout?: number;
  /**
   * What the network gives:
   * - `none`: `last_hidden_state` (batch, tokens, features) and `pooler_output` (batch, features)
   * - `mlm`: `logits` (batch, tokens, vocabulary), to guess masked tokens
   * - `span`: `start_logits` and `end_logits` (batch, tokens), to find an answer
   * - `classification`: `logits` (batch, classes)
   *
   * Default `none`.
   */
  readonly head?: 'none' | 'mlm' | 'span' | 'classification';
  /** For classification; default 2. */
  readonly classes?: number;
}

/** Of BERT-large; give it to `bert`. */
export const BERT_LARGE = { features: 1024, depth: 24, heads: 16 } as const;

const LINEAR = { weightInit: normal(0.02), biasInit: zeros };

type Sizes = Required<Pick<BertOptions, 'vocabulary' | 'features' | 'maxTokens' | 'segments' | 'dropout'>>;

/**
 * BERT, from `input_ids`, `attention_mask` and `token_type_ids`, all (batch, tokens) int64. Named as in Hugging Face's
 * `BertModel`, `BertForMaskedLM`, `BertForQuestionAnswering` and `BertForSequenceClassification`. The defaults are
 * BERT-base, uncased.
 * @throws WhittleError for sizes that do not divide or are no whole numbers
 * Devlin et al., NAACL 2019.
 */
export function bert(options: BertOptions = {}): Network {
  const {
    vocabulary = 30522,
    features = 768,
    depth = 12,
    heads = 12,
    maxTokens = 512,
    segments = 2,
  } = options;
  const {
    headDim = headWidth(features, heads),
    hiddenFeatures = 4 * features,
    dropout: rate = 0.1,
    head = 'none',
  } = options;
  checkSizes({ depth });
  const network = new Network(options);
  network.basePrefix = 'bert.';
  const root = new Scope(network);
  const scope = head === 'none' ? root : root.at('bert');
  const [ids, mask, types] = ['input_ids', 'attention_mask', 'token_type_ids'].map(name =>
    network.input(name, 'int64', ['batch', 'tokens']),
  ) as [Value, Value, Value];

  const sizes: Sizes = { vocabulary, features, maxTokens, segments, dropout: rate };
  let x = embed(scope.at('embeddings'), ids, types, sizes);
  const visible = paddingMask(scope, mask);
  for (let i = 0; i < depth; i++) {
    const layer = scope.at('encoder', 'layer', i);
    const attended = multiHeadAttention(layer.at('attention'), x, {
      features,
      heads,
      headDim,
      mask: visible,
      dropout: rate,
      names: {
        projections: { query: 'self.query', key: 'self.key', value: 'self.value' },
        output: 'output.dense',
      },
      linear: LINEAR,
    });
    x = normalized(layer.at('attention', 'output'), x, dropout(layer, attended, rate), features);
    const expanded = feedForward(layer, x, {
      features,
      hiddenFeatures,
      activation: 'gelu',
      names: ['intermediate.dense', 'output.dense'],
      linear: LINEAR,
    });
    x = normalized(layer.at('output'), x, dropout(layer, expanded, rate), features);
  }
  addHead(root, scope, x, head, { ...sizes, classes: options.classes ?? 2 });
  return network;
}

/** LayerNorm of a sum. */
const normalized = (scope: Scope, x: Value, change: Value, features: number): Value =>
  layerNorm(scope.at('LayerNorm'), add(scope, change, x), { features, epsilon: 1e-12 });

/** Tokens, positions and segments: (batch, tokens, features). */
function embed(scope: Scope, ids: Value, types: Value, sizes: Sizes): Value {
  const { vocabulary, features, maxTokens, segments, dropout: rate } = sizes;
  const weightInit = normal(0.02);
  const words = embedding(scope.at('word_embeddings'), ids, { count: vocabulary, features, weightInit });
  const positions = positionEmbedding(scope.at('position_embeddings'), scope.dimension(ids, 1), {
    count: maxTokens,
    features,
    weightInit,
  }); // (tokens, features)
  const kinds = embedding(scope.at('token_type_embeddings'), types, {
    count: segments,
    features,
    weightInit,
  });
  const sum = add(scope, add(scope, words, kinds), positions);
  return dropout(scope, layerNorm(scope.at('LayerNorm'), sum, { features, epsilon: 1e-12 }), rate);
}

function addHead(
  root: Scope,
  scope: Scope,
  x: Value,
  head: NonNullable<BertOptions['head']>,
  sizes: Sizes & { classes: number },
): void {
  const { network } = root;
  const { features } = sizes;
  const square = { inFeatures: features, outFeatures: features, ...LINEAR };
  const pool = (): Value => {
    const dense = scope.at('pooler', 'dense');
    return activation(dense, linear(dense, tokenAt(scope, x, 0), square), 'tanh');
  };
  switch (head) {
    case 'none':
      network.output('last_hidden_state', x);
      network.output('pooler_output', pool());
      return;
    case 'mlm':
      network.output('logits', maskedLanguageHead(root, scope, x, sizes));
      return;
    case 'span': {
      const scores = linear(root.at('qa_outputs'), x, { inFeatures: features, outFeatures: 2, ...LINEAR });
      const [start, end] = root.split(scores, 2).map(part => root.op('Squeeze', [part, root.int64(-1)]));
      network.output('start_logits', start!);
      network.output('end_logits', end!);
      return;
    }
    case 'classification': {
      const summary = dropout(root, pool(), sizes.dropout);
      const options = { inFeatures: features, outFeatures: sizes.classes, ...LINEAR };
      network.output('logits', linear(root.at('classifier'), summary, options));
    }
  }
}

/** Dense, GELU, LayerNorm, then scores by the word embeddings. */
function maskedLanguageHead(root: Scope, scope: Scope, x: Value, { features, vocabulary }: Sizes): Value {
  const predictions = root.at('cls', 'predictions');
  const transform = predictions.at('transform');
  const dense = linear(transform.at('dense'), x, { inFeatures: features, outFeatures: features, ...LINEAR });
  const hidden = layerNorm(transform.at('LayerNorm'), activation(transform, dense, 'gelu'), {
    features,
    epsilon: 1e-12,
  });
  const bias = predictions.parameter('bias', [vocabulary], { kind: 'bias', initializer: zeros });
  const table = scope.network.parameter(scope.at('embeddings', 'word_embeddings', 'weight').path);
  root.network.aliases.set('cls.predictions.decoder.weight', table.name);
  root.network.aliases.set('cls.predictions.decoder.bias', bias.name);
  return tiedProjection(predictions, hidden, table.value, { count: vocabulary, features, bias });
}
