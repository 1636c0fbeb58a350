import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import type { Scope } from '../scope.js';
import { checkSizes } from '../sizes.js';
import { dropout } from './dropout.js';
import { type LinearOptions, linear } from './linear.js';
import { type Rotary, rotate } from './rotary.js';

/** (batch, tokens, heads · headDim) → (batch, heads, tokens, headDim) */
export const splitHeads = (scope: Scope, x: Value, heads: number, headDim: number): Value =>
  scope.transpose(scope.reshape(x, 0, 0, heads, headDim), 0, 2, 1, 3);

/** (batch, heads, tokens, headDim) → (batch, tokens, heads · headDim) */
export function mergeHeads(scope: Scope, x: Value, features: number): Value {
  return scope.reshape(scope.transpose(x, 0, 2, 1, 3), 0, 0, features);
}

export interface AttentionCoreOptions {
  readonly headDim: number;
  /** Added to the scores: 0 where a query may look, a large negative number where not; broadcast. */
  readonly mask?: Value | undefined;
  /** Dropout rate of the attention weights; default 0. */
  readonly dropout?: number;
}

/**
 * softmax(q kᵀ / √headDim + mask) v.
 * @param q (batch, heads, queries, headDim)
 * @param k (batch, heads, keys, headDim)
 * @param v (batch, heads, keys, headDim)
 * @returns (batch, heads, queries, headDim)
 * Vaswani et al., NeurIPS 2017.
 */
export function scaledDotProductAttention(
  scope: Scope,
  q: Value,
  k: Value,
  v: Value,
  { headDim, mask, dropout: rate = 0 }: AttentionCoreOptions,
): Value {
  const scaled = scope.op('Mul', [q, scope.scalar(headDim ** -0.5)]);
  const keys = scope.transpose(k, 0, 1, 3, 2); // (batch, heads, headDim, keys)
  let scores = scope.op('MatMul', [scaled, keys]); // (batch, heads, queries, keys)
  if (mask) scores = scope.op('Add', [scores, mask]);
  const weights = dropout(scope, scope.op('Softmax', [scores], { axis: -1 }), rate);
  return scope.op('MatMul', [weights, v]);
}

/**
 * Large enough to leave nothing after softmax; unlike −∞ it gives no NaN in a row that is masked throughout, and it
 * stays finite in half precision.
 */
export const MASKED = -3e4;

/**
 * Lets token i see tokens 0 … i.
 * @param tokens how many, an int64 vector of one element
 * @returns (tokens, tokens), 0 or `MASKED`
 */
export function causalMask(scope: Scope, tokens: Value): Value {
  const positions = scope.range(tokens); // (tokens)
  const rows = scope.op('Unsqueeze', [positions, scope.int64(1)]); // (tokens, 1)
  const hidden = scope.op('Greater', [positions, rows]); // (tokens, tokens)
  return scope.op('Where', [hidden, scope.scalar(MASKED), scope.scalar(0)]);
}

/**
 * Lets every token see the tokens whose mask is 1.
 * @param attentionMask (batch, tokens) int64, 1 for tokens and 0 for padding
 * @returns (batch, 1, 1, tokens), 0 or `MASKED`
 */
export function paddingMask(scope: Scope, attentionMask: Value): Value {
  const hidden = scope.op('Equal', [attentionMask, scope.index(0)]);
  const mask = scope.op('Where', [hidden, scope.scalar(MASKED), scope.scalar(0)]);
  return scope.op('Unsqueeze', [mask, scope.int64(1, 2)]);
}

/** What the projections of an attention are called: three of them, or one that gives query, key, value side by side. */
export interface AttentionNames {
  readonly projections:
    | { readonly query: string; readonly key: string; readonly value: string }
    | { readonly fused: string };
  readonly output: string;
}

export interface AttentionOptions {
  readonly features: number;
  readonly heads: number;
  /** Width of each head; default features / heads. */
  readonly headDim?: number;
  readonly names?: AttentionNames;
  /** Bias of the projections; default true. */
  readonly bias?: boolean;
  /** Mask to add to the scores, from `causalMask` or `paddingMask`. */
  readonly mask?: Value | undefined;
  /** Whether `mask` is causal, for the record. */
  readonly causal?: boolean;
  readonly rotary?: Rotary | undefined;
  readonly dropout?: number;
  /** Layout and initializers of the projections; `outputInit` differs in GPT-2. */
  readonly linear?: Pick<LinearOptions, 'layout' | 'weightInit' | 'biasInit'>;
  readonly outputInit?: LinearOptions['weightInit'];
}

/**
 * The width of each head where heads share the features.
 * @throws WhittleError where they cannot
 */
export function headWidth(features: number, heads: number, node = ''): number {
  const width = features / heads;
  if (Number.isInteger(width)) return width;
  throw new WhittleError(`${heads} heads do not divide ${features} features`, {
    node,
    hint: 'Choose heads that divide the features, or give the width of a head as headDim',
  });
}

const DEFAULT_NAMES: AttentionNames = {
  projections: { query: 'q_proj', key: 'k_proj', value: 'v_proj' },
  output: 'out_proj',
};

/**
 * Multi-head self-attention with its projections, named `q_proj`, `k_proj`, `v_proj` and `out_proj` unless told.
 * @param x (batch, tokens, features)
 * @returns (batch, tokens, features)
 * @throws WhittleError where the heads do not divide the features and have no width of their own
 */
export function multiHeadAttention(scope: Scope, x: Value, options: AttentionOptions): Value {
  const { features, heads, names = DEFAULT_NAMES, bias = true } = options;
  checkSizes({ features, heads }, { node: scope.path });
  const { headDim = headWidth(features, heads, scope.path) } = options;
  checkSizes({ headDim }, { node: scope.path });
  const inner = heads * headDim;
  const base = { ...options.linear, bias };
  const { projections } = names;

  let parts: Value[]; // 3 × (batch, tokens, inner)
  if ('fused' in projections) {
    const all = linear(scope.at(projections.fused), x, {
      ...base,
      inFeatures: features,
      outFeatures: 3 * inner,
    });
    parts = scope.split(all, 3);
  } else {
    parts = [projections.query, projections.key, projections.value].map(name =>
      linear(scope.at(name), x, { ...base, inFeatures: features, outFeatures: inner }),
    );
  }
  let [q, k, v] = parts.map(part => splitHeads(scope, part, heads, headDim)) as [Value, Value, Value];
  if (options.rotary) [q, k] = [rotate(scope, q, options.rotary), rotate(scope, k, options.rotary)];
  const attended = scaledDotProductAttention(scope, q, k, v, {
    headDim,
    mask: options.mask,
    dropout: options.dropout ?? 0,
  });
  const output = linear(scope.at(names.output), mergeHeads(scope, attended, inner), {
    ...base,
    ...(options.outputInit && { weightInit: options.outputInit }),
    inFeatures: inner,
    outFeatures: features,
  });
  const full = (name: string): string => scope.at(name).path;
  scope.record({
    kind: 'attention',
    path: scope.path,
    heads,
    headDim,
    projections:
      'fused' in projections
        ? { fused: full(projections.fused) }
        : { query: full(projections.query), key: full(projections.key), value: full(projections.value) },
    outputProjection: full(names.output),
    causal: options.causal ?? false,
  });
  return output;
}
