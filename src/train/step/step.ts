import type { Batch } from '../../datasets/dataset.js';
import {
  type CustomGradients,
  gradients,
  removeStraightThrough,
  typedBuilder,
} from '../../graph/autodiff/index.js';
import { WhittleError } from '../../graph/errors.js';
import type { Model } from '../../graph/model.js';
import { removeDead } from '../../graph/rewrite/dead.js';
import type { Value } from '../../graph/value.js';
import { cloneNetwork } from '../../nn/clone.js';
import type { Network } from '../../nn/network.js';
import { seedDropout } from '../../nn/seed-dropout.js';
import type { TrainingMethod } from '../method.js';
import { prepareNetwork } from '../prepare.js';
import { checkClip } from './clip.js';
import { addOutput, StepContext } from './context.js';
import { convolveShortcuts } from './convolve-shortcuts.js';
import { foldLayerNorm } from './fold-layer-norm.js';
import { fuseMomentum } from './fuse-momentum.js';
import { checkGroups, Groups } from './groups.js';
import type { StepOptions, StepParts } from './options.js';
import { fixSizes } from './sizes.js';
import type { BatchInput, Observable, ScalarInput, StateSlot } from './state.js';
import { attachUnits, planUnits, type Unit } from './units.js';
import { UpdateBuilder } from './update.js';

/** A whole training step as one graph: data, parameters and states in; metrics, parameters and states out. */
export interface TrainingStep {
  readonly model: Model;
  readonly states: readonly StateSlot[];
  readonly scalars: readonly ScalarInput[];
  /** What a batch must hold. */
  readonly batch: readonly BatchInput[];
  /** Outputs of one number; `loss` is the first. */
  readonly metrics: readonly string[];
  /** What the runner can be asked for. */
  readonly observables: readonly Observable[];
  /** Names of what the optimizer keeps for each parameter, e.g. `momentum`. */
  readonly optimizerStates: readonly string[];
  /** What the objective says about a batch before it is run. */
  readonly check: ((batch: Batch) => void) | undefined;
  /** The network after `prepare`, in training form, holding the initial parameters. */
  readonly network: Network;
  readonly units: readonly Unit[];
  readonly options: StepOptions;
}

const FLATTEN_BELOW = 16384;

/**
 * Builds a training step around a network in training form: forward pass, gradients, clipping, optimizer and the next
 * states, all in one graph. Learning rate, weight decay, step count and loss scale are inputs. The network is not
 * changed.
 * @throws WhittleError for a network in inference form, methods that do not combine, a loss that is not one number,
 *   limits and factors that make no sense, and operators without gradient
 */
export function trainingStep(network: Network, options: StepOptions): TrainingStep {
  if (!network.training) {
    throw new WhittleError('the network is in inference form', { hint: 'Build it with training: true' });
  }
  const { objective, methods = [], accumulation = 1, passes = [] } = options;
  if (!Number.isInteger(accumulation) || accumulation < 1) {
    throw new WhittleError(`accumulation is a number of batches, not ${accumulation}`);
  }
  checkClip(options.clip ?? {});
  checkGroups(options.groups ?? []);
  const prepared = prepareNetwork(network, methods, options.sizes);

  const work = cloneNetwork(prepared);
  const { graph } = work;
  fixSizes(graph, options.sizes ?? {});
  const batchNames = new Set(graph.inputs);
  const units = planUnits(work, unitOptions(options));
  const attached = attachUnits(work, units);
  const model = work.toModel();
  const dropoutSeed = graph.addInput('dropout_seed', { kind: 'tensor', dtype: 'uint32', shape: [] });
  const drops = seedDropout(graph, dropoutSeed) > 0;
  if (!drops) graph.inputs.splice(graph.inputs.indexOf(dropoutSeed), 1);

  const b = typedBuilder(model);
  foldLayerNorm(b, graph);
  convolveShortcuts(b, graph);
  b.scope = 'loss/';
  const context = new StepContext(b, work, true, attached, name => prepared.tensor(name));
  if (drops) {
    context.scalars.push({
      name: dropoutSeed.name,
      dtype: 'uint32',
      of: ({ seed, batch }) => mix(seed, batch),
    });
  }
  const before = new Set(graph.inputs);
  const measured = objective.build(context);
  let loss = methods.reduce((sum, method) => method.loss?.(context, sum, objective) ?? sum, measured.loss);
  if (loss.shape?.length !== 0) {
    throw new WhittleError(`the loss must be one number, not of shape [${loss.shape?.join(', ') ?? '?'}]`, {
      value: loss.name,
    });
  }
  for (const input of graph.inputs) {
    if (!before.has(input) && !isOwn(context, input)) batchNames.add(input);
  }

  const update = new UpdateBuilder(context, options);
  const members = units.filter(unit => unit.group).flatMap(unit => unit.parameters.map(p => p.name));
  const scale = update.lossFactor();
  const found = gradients(
    model,
    loss,
    members.map(name => context.value(name)),
    { vjps: gradientRules(methods), ...(scale && { seed: scale }) },
  );
  update.build(new Map(members.map((name, i) => [name, found[i]!])));
  // An input or a constant cannot be an output by itself.
  if (!loss.producer) loss = b.op('Identity', [loss]);
  const metrics = new Map([['loss', loss], ...Object.entries(measured.metrics ?? {}), ...context.metrics]);

  graph.outputs.length = 0;
  for (const [name, value] of metrics) addOutput(context, value, name);
  const states = update.finish((value, name) => addOutput(context, value, name));
  const observables = context.observables.map(({ observable, value }) => ({
    ...observable,
    output: addOutput(context, value, `observed/${observable.parts.map(({ name }) => name).join('+')}`),
  }));
  removeStraightThrough(graph);
  removeDead(graph);
  fuseMomentum(graph);
  graph.sort();
  let result: StepParts = { model, states };
  for (const pass of passes) result = pass(result) ?? result;
  return {
    ...result,
    scalars: context.scalars,
    batch: [...batchNames].map(({ name, dtype, shape }) => ({ name, dtype: dtype!, shape: shape ?? [] })),
    metrics: [...metrics.keys()],
    observables,
    optimizerStates: [...context.optimizerStates],
    check: measured.check,
    network: prepared,
    units,
    options,
  };
}

/** How the parameters of a network become tensors of the step; evaluation uses the same. */
function unitOptions(options: StepOptions): Parameters<typeof planUnits>[1] {
  const { methods = [], groups = [], weightDecay = true, optimizer } = options;
  const exempt = methods.filter(method => method.replacesWeightDecay);
  const { of } = new Groups(groups, {
    decays: weightDecay,
    exempt: parameter => exempt.some(method => method.replacesWeightDecay!(parameter)),
  });
  return {
    groupOf: of,
    separate: p => optimizer.wholeTensors === true || methods.some(method => method.separates?.(p)),
    flattenBelow: options.flattenBelow ?? FLATTEN_BELOW,
    flattenTogether: options.flattenTogether ?? Infinity,
  };
}

/** How nodes that methods marked are differentiated. */
export const gradientRules = (methods: readonly TrainingMethod[]): CustomGradients =>
  Object.assign({}, ...methods.map(method => method.gradientRules));

const isOwn = (context: StepContext, input: Value): boolean =>
  context.scalars.some(({ name }) => name === input.name) ||
  context.states.some(({ state }) => state.value === input);

/** A 32-bit number that differs from batch to batch. */
const mix = (seed: number, batch: number): number =>
  (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(batch + 1, 0xc2b2ae35)) >>> 0;
