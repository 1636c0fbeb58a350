import { type Network, recordLayers } from '../../nn/index.js';
import { text } from '../../train/config/settings.js';
import type { DenseLayer } from '../factorized/low-rank.js';
import { givesOutput, type LayerSelector, seesInput } from '../factorized/select.js';
import { LAYER_WORDS, selectLayers } from '../select-layers.js';

/**
 * `inner`: all but a convolution that sees the data itself and the classifier; `all`: those too; else words and paths
 * as `selectLayers` takes them.
 */
export type QuantizedLayers = 'inner' | 'all' | (string & {});

const OTHER_WORDS = LAYER_WORDS.filter(word => word !== 'all');

export const LAYERS = text(
  'inner',
  `which layers: inner (all but first convolution and classifier), all, ${OTHER_WORDS.join(', ')}, or paths with *, joined by +`,
);

/**
 * The layers to quantize, in the network's order: grouped convolutions and shared weights like any other. Where one
 * layer of a shared weight is chosen, all are: the weight has one set of integers.
 * @throws WhittleError for a word or path that chooses no layer
 */
export function quantizedLayers(network: Network, which: QuantizedLayers | LayerSelector): DenseLayer[] {
  if (network.layers.size === 0) recordLayers(network);
  const layers = [...network.layers.values()].filter(
    (layer): layer is DenseLayer => layer.kind === 'linear' || layer.kind === 'conv',
  );
  const chosen = new Set(layers.filter(chooser(network, which)).map(({ weight }) => weight));
  return layers.filter(({ weight }) => chosen.has(weight));
}

function chooser(network: Network, which: QuantizedLayers | LayerSelector): (layer: DenseLayer) => boolean {
  if (typeof which === 'function') return which;
  if (which instanceof RegExp) return ({ path }) => which.test(path);
  if (which === 'all') return () => true;
  if (which === 'inner') return inner(network);
  const paths = new Set(selectLayers(network, which, ['linear', 'conv']).map(({ path }) => path));
  return ({ path }) => paths.has(path);
}

function inner(network: Network): (layer: DenseLayer) => boolean {
  const outputs = new Set(
    [...network.layers.values()].flatMap(layer => ('output' in layer ? [layer.output] : [])),
  );
  return layer =>
    layer.kind === 'linear' ? !givesOutput(network, layer.output) : !seesInput(layer.input, outputs);
}
