import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import type { Value } from '../graph/value.js';
import { findAttentions } from '../nn/find-attentions.js';
import type { LinearLayer } from '../nn/layer.js';
import type { Network } from '../nn/network.js';
import { ensureLayers } from '../nn/record-layers.js';
import type { ReplaceableLayer } from '../nn/replace-layer.js';

/** What a linear layer does in a network, found from how it is connected. */
export type LinearRole = 'ffn-in' | 'ffn-out' | 'attention-in' | 'attention-out' | 'other';

/** The words that `selectLinearLayers` takes besides paths. */
export const LAYER_WORDS: readonly string[] = [
  'all',
  'ffn',
  'ffn-in',
  'ffn-out',
  'attention',
  'attention-in',
  'attention-out',
];

/** The role of each linear layer, by path. `attention-in` projects to queries, keys or values. */
export function linearRoles(network: Network): Map<string, LinearRole> {
  ensureLayers(network);
  const known = attentionRoles(network);
  for (const { first, second } of pairsAmong(network, wholeLinears(network))) {
    known.set(first.path, 'ffn-in');
    known.set(second.path, 'ffn-out');
  }
  const linears = [...network.layers.values()].filter(({ kind }) => kind === 'linear');
  return new Map(linears.map(({ path }) => [path, known.get(wholeOf(network, path)) ?? 'other']));
}

/** What is known of a linear layer, or of the factors in its place. */
type LinearPlace = Pick<LinearLayer, 'path' | 'input' | 'output' | 'inFeatures' | 'outFeatures'>;

/** Path of the layer in whose place a factor stands; of any other layer its own. */
function wholeOf(network: Network, path: string): string {
  const whole = path.replace(/\.[uv]$/, '');
  return network.factorized.has(whole) ? whole : path;
}

/** The linear layers as the network was built, whether they are factors now or not. */
function wholeLinears(network: Network): LinearPlace[] {
  const plain = [...network.layers.values()].filter(layer => layer.kind === 'linear');
  const factors = [...network.factorized.values()].flatMap(({ path, input, output, dense }) =>
    dense.kind === 'linear' ? [{ ...dense, path, input, output }] : [],
  );
  return [...plain.filter(({ path }) => wholeOf(network, path) === path), ...factors];
}

/**
 * Linear layers by what they do or by path: words of `LAYER_WORDS` and paths, in which `*` stands for anything,
 * joined by `+`. `all` leaves out a layer that gives an output of the network (the classifier).
 * @throws WhittleError for a part that chooses no layer
 */
export const selectLinearLayers = (network: Network, selection: string): LinearLayer[] =>
  selectLayers(network, selection, ['linear']).filter(layer => layer.kind === 'linear');

/** As `selectLinearLayers`, for layers of any of these kinds. Words other than `all` choose linear layers only. */
export function selectLayers(
  network: Network,
  selection: string,
  kinds: readonly ReplaceableLayer['kind'][],
): ReplaceableLayer[] {
  ensureLayers(network);
  const layers = [...network.layers.values()].filter(layer => layer.kind !== 'attention');
  const candidates = layers.filter(({ kind }) => kinds.includes(kind));
  const roles = linearRoles(network);
  const chosen = new Set<ReplaceableLayer>();
  for (const part of selection.split('+').map(text => text.trim())) {
    const matches = matcherOf(network, roles, part);
    const found = candidates.filter(matches);
    if (found.length === 0) {
      throw new WhittleError(`"${part}" chooses no ${kinds.join(' or ')} layer of the network`, {
        hint: `It has ${candidates.map(({ path }) => path).join(', ') || 'none'}; or say ${LAYER_WORDS.join(', ')}`,
      });
    }
    for (const layer of found) chosen.add(layer);
  }
  return candidates.filter(layer => chosen.has(layer));
}

function matcherOf(
  network: Network,
  roles: ReadonlyMap<string, LinearRole>,
  part: string,
): (layer: ReplaceableLayer) => boolean {
  const whole = (path: string): string => wholeOf(network, path);
  if (part === 'all') {
    return ({ path, output }) =>
      !network.graph.isOutput(network.factorized.get(whole(path))?.output ?? output);
  }
  if (LAYER_WORDS.includes(part)) return ({ path }) => roles.get(path)?.startsWith(part) ?? false;
  const pieces = part.split('*').map(piece => piece.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`^${pieces.join('.*')}$`);
  return ({ path }) => pattern.test(path) || pattern.test(whole(path));
}

/** Two linear layers with only an elementwise function between them, the second as wide as what the first reads. */
export interface FeedForwardPair<Place extends LinearPlace = LinearLayer> {
  readonly first: Place;
  readonly second: Place;
  /** What lies between them, in order. */
  readonly between: readonly Node[];
}

/** The feed-forward pairs of a network; projections of attentions belong to none. */
export function feedForwardPairs(network: Network): FeedForwardPair[] {
  ensureLayers(network);
  return pairsAmong(
    network,
    [...network.layers.values()].filter(layer => layer.kind === 'linear'),
  );
}

function pairsAmong<Place extends LinearPlace>(
  network: Network,
  linears: readonly Place[],
): FeedForwardPair<Place>[] {
  const attention = attentionRoles(network);
  const byOutput = new Map(linears.map(layer => [layer.output, layer]));
  const pairs: FeedForwardPair<Place>[] = [];
  for (const second of linears) {
    const { source, nodes } = elementwiseSource(second.input, byOutput);
    const first = source && byOutput.get(source);
    if (!first || first.inFeatures !== second.outFeatures) continue;
    if (attention.has(first.path) || attention.has(second.path)) continue;
    pairs.push({ first, second, between: nodes });
  }
  return pairs;
}

function attentionRoles(network: Network): Map<string, LinearRole> {
  const roles = new Map<string, LinearRole>();
  for (const layer of network.layers.values()) {
    if (layer.kind !== 'attention') continue;
    for (const path of Object.values(layer.projections)) roles.set(path, 'attention-in');
    roles.set(layer.outputProjection, 'attention-out');
  }
  // Those that are no `AttentionLayer`, e.g. because keys have fewer heads than queries.
  for (const { query, key, value, output } of findAttentions(network)) {
    for (const { path } of [query, key, value]) roles.set(wholeOf(network, path), 'attention-in');
    roles.set(wholeOf(network, output.path), 'attention-out');
  }
  return roles;
}

/** Functions of single elements that stand between the two layers of a feed-forward pair; normalizations are not. */
const ELEMENTWISE = new Set(
  (
    'Add Sub Mul Div Pow Neg Sqrt Abs Exp Erf Tanh Sigmoid Relu LeakyRelu Elu Selu Celu Gelu Mish Softplus ' +
    'HardSigmoid HardSwish Clip Max Min Cast Identity Dropout'
  ).split(' '),
);

interface ElementwiseSource {
  /** The only candidate that x is an elementwise function of, constants aside. */
  readonly source: Value | undefined;
  /** The nodes of that function, in order. */
  readonly nodes: Node[];
}

function elementwiseSource(x: Value, candidates: ReadonlyMap<Value, unknown>): ElementwiseSource {
  const sources = new Set<Value>();
  const nodes = new Set<Node>();
  const seen = new Set<Value>();
  const visit = (value: Value): boolean => {
    if (seen.has(value)) return true;
    seen.add(value);
    if (candidates.has(value)) {
      sources.add(value);
      return true;
    }
    if (Graph.constantOf(value)) return true;
    const node = value.producer;
    if (!node || !ELEMENTWISE.has(node.opType)) return false;
    if (!node.inputs.every(input => !input || visit(input))) return false;
    nodes.add(node);
    return true;
  };
  const pure = visit(x) && sources.size === 1;
  return { source: pure ? [...sources][0] : undefined, nodes: [...nodes] };
}
