import { WhittleError } from '../../graph/errors.js';
import { Graph } from '../../graph/graph.js';
import type { LinearLayer } from '../../nn/layer.js';
import { type LinearOptions, linear } from '../../nn/layers/linear.js';
import type { Network } from '../../nn/network.js';
import { initializerFor } from '../../nn/parameter.js';
import { replaceLayer } from '../../nn/replace-layer.js';
import { number } from '../../train/config/settings.js';
import { defineMethod } from '../entry.js';
import { type FeedForwardPair, feedForwardPairs } from '../select-layers.js';

/**
 * Makes the hidden layer of every feed-forward pair narrower, round(scale · width), with fresh weights drawn as the old
 * ones were, those of a file as a linear layer draws them by default: the baseline that structured layers have to beat.
 * The layers become `….narrow`. A network that is still to be built has `hiddenFeatures` for the same.
 * @throws WhittleError where the network has no feed-forward pair, or something besides its weights is as wide as it
 */
export function narrowFeedForward(network: Network, scale: number): void {
  const pairs = feedForwardPairs(network);
  if (pairs.length === 0) {
    throw new WhittleError('the network has no feed-forward layers to make narrower', {
      hint: 'They are two linear layers with an activation between them',
    });
  }
  for (const pair of pairs) refuseOtherWidths(pair);
  for (const { first, second, between } of pairs) {
    const hidden = Math.max(1, Math.round(scale * first.outFeatures));
    replaceBySize(network, first, { inFeatures: first.inFeatures, outFeatures: hidden });
    // What lies between is elementwise; only its shapes change.
    for (const node of between) network.inferTypes(node);
    replaceBySize(network, second, { inFeatures: hidden, outFeatures: second.outFeatures });
  }
}

/** Slopes of a PReLU and the like have a number for each hidden feature that no fresh weight takes the place of. */
function refuseOtherWidths({ first, between }: FeedForwardPair): void {
  for (const value of between.flatMap(({ inputs }) => inputs)) {
    if (!value || Graph.constantOf(value)?.dims.includes(first.outFeatures) !== true) continue;
    throw new WhittleError('a feed-forward layer cannot be made narrower where this is as wide as it', {
      value: value.name,
      hint: 'Only functions without weights of their own may stand between its two linear layers',
    });
  }
}

function replaceBySize(
  network: Network,
  { path, layout, weight, bias }: LinearLayer,
  sizes: Pick<LinearOptions, 'inFeatures' | 'outFeatures'>,
): void {
  replaceLayer(network, path, (scope, { input }) =>
    linear(scope.at('narrow'), input, {
      ...sizes,
      layout,
      bias: bias !== undefined,
      weightInit: initializerFor(weight),
      ...(bias && { biasInit: initializerFor(bias) }),
    }),
  );
}

export const narrowFeedForwardMethod = defineMethod({
  name: 'narrow-ffn',
  family: 'structured',
  summary: 'Feed-forward layers of half the width, or another share: the baseline of the structured layers.',
  paper: {
    title: "Low-rank approximations to linear layers don't work",
    authors: 'catid',
    year: 2024,
    url: 'https://catid.io/posts/low_rank/',
  },
  settings: { scale: number(0.5, { min: 0, max: 1, description: 'hidden features left, as a fraction' }) },
  create: ({ scale }) => ({
    name: 'narrow-ffn',
    layerClaim: {
      of: network => feedForwardPairs(network).flatMap(({ first, second }) => [first.path, second.path]),
      accepts: ['dense'],
      gives: 'layers',
    },
    prepare: network => narrowFeedForward(network, scale),
  }),
});
