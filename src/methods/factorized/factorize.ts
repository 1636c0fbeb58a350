import { WhittleError } from '../../graph/errors.js';
import { ensureLayers, type Network } from '../../nn/index.js';
import { costAt, ranksWithin } from './budget.js';
import { type Cost, layerCost, NetworkShapes } from './cost.js';
import { describeFactorization } from './describe.js';
import { type FactorInit, makeLowRank } from './low-rank.js';
import { formFor, type MatrixForm, matrixShape } from './matricize.js';
import { type BudgetRule, type Candidate, type RankRule, ranksByRule } from './ranks.js';
import { type LayerSelector, selectLayers } from './select.js';

export interface FactorizePolicy {
  readonly rank: RankRule;
  /** Which layers; by default all but the first convolution and the classifier (see `selectLayers`). */
  readonly layers?: LayerSelector;
  /** How factors start; default `spectral`. */
  readonly init?: FactorInit;
  /** How kernels are read as matrices; default `spatial`. */
  readonly convolution?: 'spatial' | 'channel';
  /**
   * Ranks are multiples of this; default 1. Processors compute channels in blocks of 8 or 16: a rank of 17 then costs the
   * time of 24 or 32.
   */
  readonly multipleOf?: number;
  /** Leave a layer dense where its factors would not have fewer parameters; default true. */
  readonly onlySmaller?: boolean;
  /** Sizes of the inputs' symbolic dimensions, to count FLOPs with; what is not named is 1. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Gets the difference between before and after as a table. */
  readonly print?: (text: string) => void;
}

/** What became of one layer. */
export interface LayerChange {
  readonly path: string;
  readonly form: MatrixForm;
  readonly rows: number;
  readonly cols: number;
  /** Absent where the layer stayed dense. */
  readonly rank: number | undefined;
  readonly before: Cost;
  readonly after: Cost;
}

export interface Factorization {
  readonly layers: readonly LayerChange[];
  /** Of the whole network; parameters are those that learn. */
  readonly before: Cost;
  readonly after: Cost;
  /** The common scale of ranks, where a budget was given. */
  readonly scale: number | undefined;
}

/**
 * Replaces layers of a network by products of two factors, in place. It may be a built network or one around an
 * imported graph, in training form or not, with random or with trained weights; spectral initialization keeps the best
 * approximation of what the weights are now.
 *
 * ```ts
 * const network = cifarResNet({ depth: 32, training: true });
 * factorize(network, { rank: { parameters: 0.1 }, print: console.log });
 * ```
 * @throws WhittleError where no layer is chosen, a rule makes no sense, or a budget cannot be met
 */
export function factorize(network: Network, policy: FactorizePolicy): Factorization {
  const {
    rank,
    init = 'spectral',
    convolution = 'spatial',
    onlySmaller = true,
    multipleOf: step = 1,
  } = policy;
  if (!(Number.isInteger(step) && step > 0)) {
    throw new WhittleError(`ranks are multiples of a whole number above 0, not of ${step}`);
  }
  ensureLayers(network);
  const shapes = new NetworkShapes(network, policy.sizes);
  const candidates: Candidate[] = selectLayers(network, policy.layers).map(layer => {
    const form = formFor(layer, convolution);
    return { layer, form, cost: layerCost(layer, form, shapes) };
  });
  if (candidates.length === 0) {
    throw new WhittleError('no layer of the network was chosen to be factorized', {
      hint: `It has ${[...network.layers.keys()].slice(0, 20).join(', ') || 'none'}`,
    });
  }
  const trainable = network.parameterCount();
  const totals = {
    parameters: trainable,
    flops: shapes.flops,
    buffers: network.parameterCount('all') - trainable,
  };
  const { ranks, scale } = isBudget(rank)
    ? ranksWithin(candidates, totals, rank, { onlySmaller, step })
    : { ranks: ranksByRule(network, candidates, rank, step), scale: undefined };
  const layers = candidates.map((candidate, i): LayerChange => {
    const { layer, form, cost } = candidate;
    const after = costAt(candidate, ranks[i]!, onlySmaller);
    const stays = after === cost.dense;
    if (!stays) makeLowRank(network, layer.path, { rank: ranks[i]!, init, convolution });
    return {
      path: layer.path,
      form,
      ...matrixShape(layer, form),
      rank: stays ? undefined : ranks[i]!,
      before: cost.dense,
      after,
    };
  });
  const result: Factorization = {
    layers,
    before: { parameters: totals.parameters, flops: totals.flops },
    after: { parameters: network.parameterCount(), flops: new NetworkShapes(network, policy.sizes).flops },
    scale,
  };
  policy.print?.(describeFactorization(result));
  return result;
}

const isBudget = (rule: RankRule): rule is BudgetRule =>
  'parameters' in rule || 'flops' in rule || 'bytes' in rule;
