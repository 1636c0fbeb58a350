import { choice, integer, number, text } from '../../train/index.js';
import { defineMethod, type MethodEntry, type Paper } from '../entry.js';
import { LAYER_WORDS } from '../select-layers.js';
import { factorizedAttention } from './attention/index.js';
import { FACTOR_DECAYS } from './decay/index.js';
import { lowRank, overcompleteTraining } from './method.js';
import type { RankRule } from './ranks.js';

const FACTORIZED_LAYERS: Paper = {
  title: 'Initialization and regularization of factorized neural layers',
  authors: 'Khodak, Tenenholtz, Mackey, Fusi',
  year: 2021,
  url: 'https://arxiv.org/abs/2105.01029',
};

const RULES = ['parameters', 'flops', 'bytes', 'scale', 'rank', 'energy', 'stableRank'] as const;

const layers = text(
  '',
  `which layers: ${LAYER_WORDS.join(', ')}, or paths with *, joined by +; default all but first convolution and classifier`,
);

/** Without words, what the method takes by itself. */
const chosen = (words: string) => (words === '' ? {} : { layers: words });

const decaySettings = {
  decay: choice('frobenius', FACTOR_DECAYS, 'what holds factors small, in the place of weight decay'),
  strength: number(1, { min: 0, description: 'of that decay, as a multiple of the weight decay' }),
};

export const lowRankEntry = defineMethod({
  name: 'low-rank',
  family: 'factorized',
  summary:
    'Layers are products of two thin factors from the first step on, spectrally initialized, with Frobenius decay.',
  paper: FACTORIZED_LAYERS,
  settings: {
    rule: choice('parameters', RULES, 'what `amount` is: a budget for the network, or a rule for each rank'),
    amount: number(0.25, { min: 0, description: 'budgets up to 1 are shares of the dense network' }),
    init: choice('spectral', ['spectral', 'plain'], 'how factors start'),
    ...decaySettings,
    multipleOf: integer(1, { min: 1, description: 'ranks are multiples of this' }),
    convolution: choice('spatial', ['spatial', 'channel'], 'how kernels are read as matrices'),
    layers,
  },
  create: ({ rule, amount, layers: words, ...options }) =>
    lowRank({ rank: { [rule]: amount } as RankRule, ...options, ...chosen(words) }),
});

export const overcompleteEntry = defineMethod({
  name: 'overcomplete',
  family: 'factorized',
  summary:
    'Weights are products of wide or three factors while they train, and are multiplied into plain layers afterwards.',
  paper: FACTORIZED_LAYERS,
  settings: {
    form: choice('deep', ['wide', 'deep'], 'U Vᵀ, or U M Vᵀ with M at the identity'),
    width: number(1, { min: 1, description: 'rank as a multiple of the shorter side' }),
    init: choice('spectral', ['spectral', 'plain'], 'how factors start'),
    ...decaySettings,
    layers,
  },
  create: ({ layers: words, ...options }) => overcompleteTraining({ ...options, ...chosen(words) }),
});

export const attentionEntry = defineMethod({
  name: 'attention-frobenius',
  // It changes the form of no layer: low rank or structured layers elsewhere, masks and quantizers go with it.
  family: 'penalty',
  summary:
    'Frobenius decay of Q_h K_hᵀ and V_h O_hᵀ in the place of weight decay on the projections of attention.',
  paper: FACTORIZED_LAYERS,
  settings: {
    init: choice(
      'keep',
      ['keep', 'product', 'gaussian'],
      'what the spectral initialization decomposes, if any',
    ),
    strength: decaySettings.strength,
  },
  create: factorizedAttention,
});

/** All methods of the family that a study can name. */
export const FACTORIZED_METHODS: readonly MethodEntry[] = [lowRankEntry, overcompleteEntry, attentionEntry];
