import { WhittleError } from '../../graph/errors.js';
import type { Network } from '../../nn/network.js';
import type { Parameter } from '../../nn/parameter.js';
import { choice, integer } from '../../train/config/settings.js';
import { defineMethod } from '../entry.js';
import { type LinearRole, linearRoles } from '../select-layers.js';
import { removeParameter } from './substitute.js';

/** Which parameters of a block are shared: all of them, or those of its attention's or feed-forward's linear layers. */
export type SharedPart = 'all' | 'attention' | 'ffn';

export interface CrossLayerOptions {
  /** Default `all`. */
  readonly share?: SharedPart;
  /** Sets of neighbouring blocks, each with parameters of its own; default 1. */
  readonly groups?: number;
}

/**
 * Lets the blocks of a network use the same parameters. Blocks are what differs by a number in the names of its
 * parameters (`encoder.layer.0.…`, `encoder.layer.1.…`) and has the same parameters otherwise. Running statistics stay
 * apart. The names that go become aliases of those that stay.
 * @throws WhittleError where there is nothing to share
 */
export function shareAcrossLayers(network: Network, options: CrossLayerOptions = {}): void {
  for (const [parameter, into] of sharedParameters(network, options)) merge(network, parameter, into);
}

/** Which parameter takes the place of which. */
function sharedParameters(
  network: Network,
  { share = 'all', groups = 1 }: CrossLayerOptions,
): Map<Parameter, Parameter> {
  const wanted = share === 'all' ? () => true : parametersOf(network, share);
  const shared = new Map<Parameter, Parameter>();
  for (const blocks of alikeBlocks(network)) {
    for (const [at, block] of blocks.entries()) {
      const group = Math.floor((at * groups) / blocks.length);
      const first = blocks[Math.ceil((group * blocks.length) / groups)]!;
      if (first === block) continue;
      for (const [suffix, parameter] of block) {
        if (parameter.kind !== 'buffer' && wanted(parameter)) shared.set(parameter, first.get(suffix)!);
      }
    }
  }
  if (shared.size > 0) return shared;
  throw new WhittleError(`the network has no blocks whose parameters (${share}) could be shared`, {
    hint: 'Blocks are told by a number in the names of their parameters, and must have the same shapes',
  });
}

/** Paths of the layers of which a weight is shared. */
function sharedLayers(network: Network, options: CrossLayerOptions): string[] {
  const shared = sharedParameters(network, options);
  const weights = new Set([...shared.keys(), ...shared.values()]);
  return [...network.layers.values()].flatMap(layer =>
    layer.kind !== 'attention' && weights.has(layer.weight) ? [layer.path] : [],
  );
}

/** Parameters of a block by what follows its number. */
type Block = ReadonlyMap<string, Parameter>;

/** Lists of two or more blocks that have the same parameters, in order. */
function alikeBlocks(network: Network): Block[][] {
  const blocks = new Map<string, Map<string, Parameter>>();
  const prefixes = new Map<string, string>();
  for (const [name, parameter] of network.parameters) {
    const parts = /^((?:.*?\.)?)(\d+)\.(.+)$/.exec(name);
    if (!parts) continue;
    const [, prefix, index, suffix] = parts as unknown as [string, string, string, string];
    const path = prefix + index;
    prefixes.set(path, prefix);
    blocks.set(path, (blocks.get(path) ?? new Map()).set(suffix, parameter));
  }
  const alike = new Map<string, Block[]>();
  for (const [path, block] of blocks) {
    const shape = [...block].map(([suffix, { dims }]) => `${suffix} ${dims}`).sort();
    const key = [prefixes.get(path), ...shape].join('\n');
    alike.set(key, [...(alike.get(key) ?? []), block]);
  }
  return [...alike.values()].filter(list => list.length > 1);
}

function parametersOf(network: Network, part: 'attention' | 'ffn'): (parameter: Parameter) => boolean {
  const roles = linearRoles(network);
  const chosen = new Set<Parameter>();
  for (const layer of network.layers.values()) {
    const role: LinearRole | undefined = roles.get(layer.path);
    if (layer.kind !== 'linear' || !role?.startsWith(part)) continue;
    chosen.add(layer.weight);
    if (layer.bias) chosen.add(layer.bias);
  }
  return parameter => chosen.has(parameter);
}

function merge(network: Network, parameter: Parameter, into: Parameter): void {
  network.graph.replaceUses(parameter.value, into.value);
  removeParameter(network, parameter);
  network.aliases.set(parameter.name, into.name);
  const other = (p: Parameter | undefined): Parameter | undefined => (p === parameter ? into : p);
  for (const [path, layer] of network.layers) {
    if (layer.kind === 'attention') continue;
    if (layer.weight !== parameter && layer.bias !== parameter) continue;
    network.layers.set(path, { ...layer, weight: other(layer.weight)!, bias: other(layer.bias) });
  }
}

const ALBERT = {
  title: 'ALBERT: A Lite BERT for Self-supervised Learning of Language Representations',
  authors: 'Lan, Chen, Goodman, Gimpel, Sharma, Soricut',
  year: 2020,
  url: 'https://arxiv.org/abs/1909.11942',
};

export const crossLayerMethod = defineMethod({
  name: 'cross-layer',
  family: 'sharing',
  summary: 'All blocks of a transformer use the same parameters.',
  paper: ALBERT,
  settings: {
    share: choice('all', ['all', 'attention', 'ffn'], 'which parameters of a block'),
    groups: integer(1, { min: 1, description: 'sets of blocks with parameters of their own' }),
  },
  create: values => ({
    name: 'cross-layer',
    layerClaim: {
      of: network => sharedLayers(network, values),
      accepts: ['dense', 'layers', 'factors'],
      gives: 'shared',
    },
    prepare: network => shareAcrossLayers(network, values),
  }),
});
