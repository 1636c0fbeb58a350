import type { Value } from '../graph/value.js';
import type { Parameter } from './parameter.js';

/**
 * What a builder remembers of a layer, so that it can be replaced after the network is built: whatever computes
 * `output` from `input` may take its place (see `replaceLayer`).
 */
export type Layer = LinearLayer | ConvLayer | EmbeddingLayer | AttentionLayer;

interface Replaceable {
  readonly path: string;
  readonly input: Value;
  readonly output: Value;
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
}

/** y = x Wᵀ + b over the last dimension. */
export interface LinearLayer extends Replaceable {
  readonly kind: 'linear';
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** `out-in` as in `torch.nn.Linear`, `in-out` as in GPT-2's Conv1D. */
  readonly layout: 'out-in' | 'in-out';
}

/** A convolution; its weight is (outChannels, inChannels / groups, ...kernelSize). */
export interface ConvLayer extends Replaceable {
  readonly kind: 'conv';
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** Rows of a table by token number. */
export interface EmbeddingLayer extends Replaceable {
  readonly kind: 'embedding';
  readonly count: number;
  readonly features: number;
}

/** Which linear layers together make one attention, by path; for methods that see Q_h K_hᵀ and V_h O_hᵀ. */
export interface AttentionLayer {
  readonly kind: 'attention';
  readonly path: string;
  readonly heads: number;
  readonly headDim: number;
  /** One layer each, or one that gives all three side by side. */
  readonly projections:
    | { readonly query: string; readonly key: string; readonly value: string }
    | { readonly fused: string };
  readonly outputProjection: string;
  /** Unknown of an attention that was not built here. */
  readonly causal: boolean | undefined;
}

/** What a dense layer computes, without its place in a network. */
export type LinearGeometry = Omit<LinearLayer, keyof Replaceable>;
export type ConvGeometry = Omit<ConvLayer, keyof Replaceable>;

/**
 * How a weight is laid out as a product of factors, which come in this order:
 * - `linear`: W (out × in) = U Vᵀ; U (out, r), Vᵀ (r, in)
 * - `spatial`: the kernel as an (out·kh) × (in·kw) matrix; U (out, r, kh, 1), Vᵀ (r, in, 1, kw)
 * - `channel`: the kernel as an out × (in·kh·kw) matrix; U (out, r, 1, 1), Vᵀ (r, in, kh, kw)
 * - `tucker2`: outputs (out, rₒ, 1, 1), core (rₒ, rᵢ, kh, kw), inputs (rᵢ, in, 1, 1)
 * - `cp`: outputs (out, r, 1, 1), columns (r, 1, kh, 1), rows (r, 1, 1, kw), inputs (r, in, 1, 1)
 */
export type FactorizedForm = 'linear' | 'spatial' | 'channel' | 'tucker2' | 'cp';

/** A layer whose weight is a product of factors. Its factors may be layers of their own, at `path.u` and the like. */
export interface FactorizedLayer {
  readonly path: string;
  readonly input: Value;
  readonly output: Value;
  readonly form: FactorizedForm;
  /** Names of the factors, leftmost first. Composed matrices may have a third between U and Vᵀ. */
  readonly factors: readonly string[];
  /** Whether the factors, plain matrices then, are multiplied in the graph before the layer uses the product. */
  readonly composed: boolean;
  /** Name of the bias. */
  readonly bias: string | undefined;
  /** The layer in whose place it stands. */
  readonly dense: LinearGeometry | ConvGeometry;
}
