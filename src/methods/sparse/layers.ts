import { WhittleError } from '../../graph/errors.js';
import type { Network } from '../../nn/network.js';
import type { Parameter } from '../../nn/parameter.js';
import { choice, number, text } from '../../train/config/settings.js';
import { parameterSize } from '../../train/step/units.js';
import { LAYER_WORDS, selectLayers } from '../select-layers.js';
import { firstProducts, lastProducts, outputParameters, type Product, productsOf } from './products.js';

/** Layers that stay dense: the first and the classifier, one of them, or none. */
export type DenseLayers = 'ends' | 'first' | 'last' | 'none';

/** What a density is a share of: the weights that have masks, or all trainable ones that its outputs need. */
export type Counted = 'layers' | 'network';

/** The setting that says which layers may get masks. */
export const MASKED_LAYERS = text(
  'all',
  `which layers may get masks: ${LAYER_WORDS.join(', ')}, or paths with *, joined by +`,
);

/** Settings that say how sparse and where; every sparse method has them. */
export const SPARSITY = {
  density: number(0.1, { min: 1e-6, max: 1, description: 'share of the weights that is kept' }),
  counted: choice(
    'layers',
    ['layers', 'network'],
    'what the density is a share of: weights of sparse layers, or all parameters',
  ),
  dense: choice(
    'ends',
    ['ends', 'first', 'last', 'none'],
    'which layers stay dense: first and last, one of them, none',
  ),
  layers: MASKED_LAYERS,
} as const;

export interface Sparsity {
  readonly density: number;
  readonly counted: Counted;
  readonly dense: DenseLayers;
  /** Words and paths as `selectLayers` takes them; default `all`, whatever reads weights. */
  readonly layers?: string;
}

/**
 * Parameters that get masks, in the order in which the network computes: weights that matrix products, convolutions and
 * recurrent layers read, built or imported. Biases, scales and embeddings stay dense, an embedding that is the
 * classifier's weight too; and what only teachers or peers need.
 * @param layers which of them; what `dense` names stays dense, chosen or not
 * @param built the network before other methods changed it, by which layers are chosen; default as it is
 * @throws WhittleError for a part of `layers` that chooses no layer, and where nothing is left
 */
export function sparseLayers(
  network: Network,
  { dense, layers: selection = 'all' }: Pick<Sparsity, 'dense' | 'layers'>,
  built: Network = network,
): readonly Parameter[] {
  const products = productsOf(network);
  const weightsOf = (some: Iterable<Product>): Set<Parameter> =>
    new Set(
      [...some]
        .flatMap(({ parameters }) => parameters)
        .filter(({ kind, dims, trainable }) => kind === 'weight' && trainable && dims.length >= 2),
    );
  const weights = weightsOf(products);
  const stays = weightsOf([
    ...(dense === 'ends' || dense === 'first' ? firstProducts(network, products) : []),
    ...(dense === 'ends' || dense === 'last' ? lastProducts(network, products) : []),
  ]);
  const isChosen = weightChooser(network, selection, built);
  const layers = [...weights].filter(weight => !stays.has(weight) && isChosen(weight));
  if (layers.length > 0) return layers;
  const chosen = [...weights].filter(isChosen).length;
  throw new WhittleError('no layer is left to be made sparse', {
    hint: `The network has ${weights.size} weights, layers=${selection} chooses ${chosen}; with dense=none those get masks`,
  });
}

/**
 * Whether a parameter is the weight of a chosen layer, or one of those that other methods put in its place.
 * @throws WhittleError for a part of the selection that chooses no layer
 */
export function weightChooser(
  network: Network,
  selection: string,
  built: Network = network,
): (parameter: Parameter) => boolean {
  if (selection === 'all') return () => true;
  const paths = selectLayers(built, selection, ['linear', 'conv']).map(({ path }) => path);
  const weights = new Set(
    paths.flatMap(path => {
      const layer = network.layers.get(path);
      return layer && layer.kind !== 'attention' ? [layer.weight] : [];
    }),
  );
  // What stands in a layer's place has its parameters under the layer's path.
  return parameter => weights.has(parameter) || paths.some(path => parameter.name.startsWith(`${path}.`));
}

/**
 * The number of weights to keep in layers that have masks.
 * @throws WhittleError where what stays dense is more than the density allows
 */
export function keptWeights(
  network: Network,
  layers: readonly Parameter[],
  { density, counted }: Pick<Sparsity, 'density' | 'counted'>,
): number {
  const size = layers.reduce((sum, layer) => sum + parameterSize(layer), 0);
  if (counted === 'layers') return Math.round(density * size);
  const all = outputParameters(network)
    .filter(({ trainable }) => trainable)
    .reduce((sum, parameter) => sum + parameterSize(parameter), 0);
  const kept = Math.round(density * all) - (all - size);
  if (kept >= layers.length) return kept;
  throw new WhittleError(
    `${density} of the network's ${all} parameters cannot be reached: ${all - size} stay dense`,
    { hint: 'Raise the density, let fewer layers stay dense (dense=none), or count layers only' },
  );
}
