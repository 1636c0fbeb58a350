import { WhittleError } from '../../graph/errors.js';
import { toInference } from '../../nn/inference.js';
import type { Network } from '../../nn/network.js';
import type { Parameter } from '../../nn/parameter.js';
import { type ChannelGroup, findGroups, type Slice } from '../../prune/groups.js';
import { choice, integer, number } from '../../train/config/settings.js';
import type { TrainingMethod, TrainingRun } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { apportion } from './density.js';
import { checkSpan, cubicDensity } from './gradual.js';
import { acrossLayers } from './keep.js';
import { MASKED_LAYERS, weightChooser } from './layers.js';
import { count, type SparseMasks } from './masks.js';
import { largest } from './select.js';
import { sparseMethod } from './sparse-method.js';

export interface NarrowOptions {
  /** Share of the channels that is kept. */
  readonly width: number;
  /** Shares of the training between which channels go. */
  readonly start: number;
  readonly end: number;
  /** Updates between prunings. */
  readonly interval: number;
  readonly scope: 'global' | 'uniform';
  /** Of which linear layers and convolutions channels may go; default all. */
  readonly layers?: string;
}

/** Channels of a network that can go, each with the parts of parameters that go with it. */
interface Channels {
  readonly groups: readonly ChannelGroup[];
  readonly parameters: readonly Parameter[];
}

/**
 * Starts wide and narrows while training: neurons and channels whose weights are smallest go along a cubic schedule,
 * with all that makes and reads them, and are removed from the file at export. Give it a network that is deep, and
 * wider than it should be.
 * @throws WhittleError where it would end before it starts
 */
export function narrow(options: NarrowOptions): TrainingMethod {
  const { width, start, end, interval, scope, layers: selection = 'all' } = options;
  checkSpan('narrow', options);
  let channels: Channels = { groups: [], parameters: [] };
  const last = ({ updates }: TrainingRun): number => Math.max(1, Math.round(end * updates));
  return sparseMethod({
    name: 'narrow',
    accepts: ['dense'],
    layers(network, built) {
      channels = channelsOf(network, weightChooser(network, selection, built));
      return channels.parameters;
    },
    afterStep(masks) {
      const { run } = masks;
      const [from, to] = [Math.round(start * run.updates), last(run)];
      const due = run.update > from && run.update < to && (run.update - from) % interval === 0;
      if (!due && run.update !== to) return;
      const time = run.update === to ? 1 : (run.update - from) / (to - from);
      keepChannels(masks, channels, cubicDensity(width, time), scope);
    },
    settled: run => run.update >= last(run),
  });
}

/**
 * Finds what can be narrowed: channels between layers, neurons, widths of residual streams. Heads and the places
 * within them would overlap; they stay.
 * @param isChosen whether channels of a weight may go: all weights that lose some with a channel must be chosen
 * @throws WhittleError where there is nothing
 */
function channelsOf(network: Network, isChosen: (weight: Parameter) => boolean): Channels {
  const found = findGroups(toInference(network).toModel());
  const isOurs = ({ constant, axis }: Slice): boolean =>
    network.parameters.get(constant.name)?.dims[axis] !== undefined;
  const isFree = ({ constant }: Slice): boolean => {
    const parameter = network.parameters.get(constant.name);
    return parameter?.kind !== 'weight' || isChosen(parameter);
  };
  const taken = new Set<string>();
  const groups = found.groups.filter(({ slices: [first], approximate }) => {
    const places = first!.map(({ constant, axis }) => `${constant.name}[${axis}]`);
    if (
      approximate !== undefined ||
      !first!.every(isOurs) ||
      !first!.every(isFree) ||
      places.some(place => taken.has(place))
    )
      return false;
    for (const place of places) taken.add(place);
    return true;
  });
  const names = new Set(groups.flatMap(({ slices: [first] }) => first!.map(({ constant }) => constant.name)));
  const parameters = [...network.parameters.values()].filter(
    ({ name, kind, trainable }) => names.has(name) && kind !== 'buffer' && trainable,
  );
  if (parameters.length > 0) return { groups, parameters };
  throw new WhittleError('the network has no channels that can go', {
    hint: 'Channels go where layers follow each other without a normalization over them; try a sparse method',
  });
}

/** Masks without the channels whose weights are smallest. A group keeps one channel at least. */
function keepChannels(
  masks: SparseMasks,
  { groups }: Channels,
  share: number,
  scope: NarrowOptions['scope'],
): void {
  const parameters = new Map(masks.layers.map(layer => [layer.name, layer]));
  const weights = new Map(masks.layers.map(layer => [layer.name, masks.weights(layer)]));
  const sizes = groups.map(({ size }) => size);
  const scores = groups.map(group =>
    normalized(group.slices.map(channel => normOf(channel, parameters, weights))),
  );
  const total = Math.max(groups.length, Math.round(share * sizes.reduce((sum, size) => sum + size, 0)));
  const kept =
    scope === 'global'
      ? acrossLayers(scores.map(withBest), total)
      : apportion(total, sizes, sizes).map((count, i) => largest(scores[i]!, Math.max(1, count)));
  const next = new Map(
    masks.layers.map(layer => [layer.name, new Float32Array(weights.get(layer.name)!.length).fill(1)]),
  );
  groups.forEach((group, g) => {
    group.slices.forEach((channel, c) => {
      if (kept[g]![c] === 1) return;
      for (const slice of channel) {
        const parameter = parameters.get(slice.constant.name);
        const mask = parameter && next.get(parameter.name)!;
        if (mask) visitElements(slice, parameter.dims, i => (mask[i] = 0));
      }
    });
    masks.run.log(`width/${group.name}`, count(kept[g]!) / group.size);
  });
  for (const layer of masks.layers) masks.set(layer, next.get(layer.name)!);
  masks.logDensity();
}

/** Euclidean norm of all that a channel takes with it. */
function normOf(
  channel: readonly Slice[],
  parameters: ReadonlyMap<string, Parameter>,
  weights: ReadonlyMap<string, Float32Array>,
): number {
  let sum = 0;
  for (const slice of channel) {
    const parameter = parameters.get(slice.constant.name);
    if (parameter?.kind !== 'weight') continue;
    const values = weights.get(parameter.name)!;
    visitElements(slice, parameter.dims, i => (sum += values[i]! * values[i]!));
  }
  return Math.sqrt(sum);
}

/** Scores over their mean, so that those of wide and narrow layers compare. */
function normalized(scores: readonly number[]): Float32Array {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  return Float32Array.from(scores, score => (mean > 0 ? score / mean : 0));
}

/** The best of a group stays, whatever other groups have. */
function withBest(scores: Float32Array): Float32Array {
  const best = scores.indexOf(Math.max(...scores));
  return scores.map((score, i) => (i === best ? Number.POSITIVE_INFINITY : score));
}

/** Calls `visit` with the place of each element of a slice in the flat tensor. */
function visitElements(
  { axis, indices }: Slice,
  dims: readonly number[],
  visit: (place: number) => void,
): void {
  const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const outer = dims.slice(0, axis).reduce((product, dim) => product * dim, 1);
  for (let o = 0; o < outer; o++) {
    for (const index of indices) {
      const from = (o * dims[axis]! + index) * inner;
      for (let i = from; i < from + inner; i++) visit(i);
    }
  }
}

export const NARROW = defineMethod({
  name: 'narrow',
  family: 'sparse',
  summary: 'Start wide: neurons and channels go while training, and are removed from the file.',
  paper: {
    title: 'Learning Efficient Convolutional Networks through Network Slimming',
    authors: 'Liu, Li, Shen, Huang, Yan, Zhang',
    year: 2017,
    url: 'https://arxiv.org/abs/1708.06519',
  },
  settings: {
    width: number(0.5, { min: 0, max: 1, description: 'share of the channels that is kept' }),
    start: number(0.1, { min: 0, max: 1, description: 'share of the training before the first channels go' }),
    end: number(0.75, { min: 0, max: 1, description: 'share of the training at which the width is reached' }),
    interval: integer(100, { min: 1, description: 'updates between prunings' }),
    layers: MASKED_LAYERS,
    scope: choice('uniform', ['global', 'uniform'], 'whether channels compete over all layers, or in each'),
  },
  create: narrow,
});
