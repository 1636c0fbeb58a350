import { WhittleError } from '../../../graph/errors.js';
import { ensureLayers } from '../../../nn/index.js';
import type { TrainingMethod } from '../../../train/index.js';
import { type FrobeniusDecayOptions, frobeniusDecay } from '../decay/frobenius.js';
import { attentionParameters } from './decay.js';
import { type AttentionSpectrum, spectralAttention } from './spectral.js';

export { type AttentionSpectrum, spectralAttention } from './spectral.js';

export interface AttentionTrainingOptions extends FrobeniusDecayOptions {
  /** Whether the products start spectrally, and of what; default `keep`: as the projections are drawn. */
  readonly init?: 'keep' | AttentionSpectrum;
}

/**
 * Attention as factorized layers: Frobenius decay of Q_h K_hᵀ and V_h O_hᵀ in the place of weight decay on the
 * projections, and spectral initialization of both where asked for. A narrower head (`headDim` of the models) makes the
 * products low-rank. Khodak et al., ICLR 2021, section 6.
 * @throws WhittleError, when it prepares a network, where there is no attention with plain projections
 */
export function factorizedAttention({
  init = 'keep',
  of = 'attention',
  ...decay
}: AttentionTrainingOptions = {}): TrainingMethod {
  const method = frobeniusDecay({ of, ...decay });
  return {
    ...method,
    name: 'attention-frobenius',
    claims: ['the decay of attention'],
    prepare(network) {
      ensureLayers(network);
      if (attentionParameters(network).length === 0) {
        const some = [...network.layers.values()].some(({ kind }) => kind === 'attention');
        if (!some)
          throw new WhittleError('the network has no attention', {
            hint: 'Leave attention-frobenius out; l1, nuclear and the like act on all layers',
          });
        throw new WhittleError('no attention of the network has projections of its own left', {
          hint: 'Where another method replaces layers, leave it the others: low-rank:layers=ffn',
        });
      }
      if (init !== 'keep') spectralAttention(network, init);
      method.prepare!(network);
    },
  };
}
