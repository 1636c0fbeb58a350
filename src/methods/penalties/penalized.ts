import { WhittleError } from '../../graph/errors.js';
import type { ConvLayer, LinearLayer, Network } from '../../nn/index.js';
import type { LayerClaim } from '../../train/claims.js';
import { number, text } from '../../train/config/settings.js';
import { LAYER_WORDS, selectLayers } from '../select-layers.js';

/** What all penalties have. */
export interface PenaltyOptions {
  /** λ, the penalty's factor in the loss. */
  readonly strength: number;
  /** Which linear layers and convolutions: words and paths as `selectLayers` takes them. */
  readonly layers: string;
}

/** Their settings, with a strength to begin with. */
export const penaltySettings = (strength: number) => ({
  strength: number(strength, { min: 0, description: 'λ, the factor of the penalty in the loss' }),
  layers: text(
    'all',
    `which linear and convolution layers: ${LAYER_WORDS.join(', ')}, or paths with *, joined by +`,
  ),
});

/**
 * The layers whose weights a penalty acts on, each weight once. `all` leaves out the classifier.
 * @throws WhittleError where no layer is chosen, or none of those chosen has a weight that learns
 */
export function penalizedLayers(network: Network, layers: string): Map<string, LinearLayer | ConvLayer> {
  const found = new Map<string, LinearLayer | ConvLayer>();
  for (const layer of selectLayers(network, layers, ['linear', 'conv'])) {
    if (layer.kind === 'embedding' || found.has(layer.weight.name)) continue;
    if (network.parameters.get(layer.weight.name)?.trainable) found.set(layer.weight.name, layer);
  }
  if (found.size > 0) return found;
  throw new WhittleError('no weight is left to be penalized', {
    hint: 'The layers chosen are frozen, or another method keeps their weights in another form',
  });
}

/** What a penalty needs of layers: weights that are stored. */
export const penaltyClaim = (layers: string): LayerClaim => ({
  of: network => selectLayers(network, layers, ['linear', 'conv']).map(({ path }) => path),
  accepts: ['dense', 'shared', 'layers'],
});

/** The axis of a layer's weight that counts its outputs. */
export const outputsOf = (layer: LinearLayer | ConvLayer): 0 | 1 =>
  layer.kind === 'linear' && layer.layout === 'in-out' ? 1 : 0;
