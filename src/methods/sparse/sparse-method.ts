import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { Network } from '../../nn/network.js';
import type { Parameter } from '../../nn/parameter.js';
import { CLAIMS, type LayerForm } from '../../train/claims.js';
import type { TrainingMethod } from '../../train/method.js';
import type { State } from '../../train/step/state.js';
import type { Unit } from '../../train/step/units.js';
import { MASK, SparseMasks } from './masks.js';
import { clearGaps } from './select.js';
import { removeZeroChannels } from './zero-channels.js';

/** When and how the masks of a sparse method move. The rest of the method is the same for all. */
export interface MaskRule {
  readonly name: string;
  /**
   * Which parameters get masks; asked once the network is as other methods want it.
   * @param built the network before they changed it
   */
  layers(network: Network, built: Network): readonly Parameter[];
  /** Forms of layers that may get masks; default all but weights that are computed from other numbers. */
  readonly accepts?: readonly LayerForm[];
  /** Whether the optimizer goes on for absent weights, as with sparse momentum; default `sparse`, it does not. */
  readonly optimizer?: 'sparse' | 'dense';
  /** Whether dense gradients can be asked of a step; default false. */
  readonly gradients?: boolean;
  /** The first masks; once, before the first step. */
  begin?(masks: SparseMasks): void | Promise<void>;
  beforeStep?(masks: SparseMasks): void | Promise<void>;
  afterStep?(masks: SparseMasks): void | Promise<void>;
  lengthen?: TrainingMethod['lengthen'];
  moment?: TrainingMethod['moment'];
  settled?: TrainingMethod['settled'];
  save?(): unknown;
  saveTensors?(): ReadonlyMap<string, Tensor>;
  restore?(saved: unknown, tensors: ReadonlyMap<string, Tensor>): void;
}

/**
 * A training method that keeps masks: weights under a 0 are 0, get no gradient and never move. The masks are tensors
 * of the step's graph, one multiplication a weight; who moves them does so between steps. The exported
 * model is without the channels that nothing reads any more.
 */
export function sparseMethod(rule: MaskRule): TrainingMethod {
  let layers: readonly Parameter[] = [];
  let built: Network | undefined;
  const names = new Set<string>();
  const states = new WeakMap<Unit, State>();
  let begun = false;
  /** The update that `afterStep` saw last: one that overflowed under loss scaling is no step. */
  let seen = -1;
  const isSparse = (unit: Unit): boolean => unit.parameters.length === 1 && names.has(unit.name);
  return {
    ...rule,
    claims: [CLAIMS.masks],
    layerClaim: {
      accepts: rule.accepts ?? ['dense', 'shared', 'layers', 'factors'],
      of(network) {
        built = network;
        const masked = new Set(rule.layers(network, network));
        return [...network.layers.values()].flatMap(layer =>
          layer.kind !== 'attention' && masked.has(layer.weight) ? [layer.path] : [],
        );
      },
    },
    prepare(network) {
      begun = false;
      layers = rule.layers(network, built ?? network);
      names.clear();
      for (const { name } of layers) names.add(name);
    },
    separates: ({ name }) => names.has(name),
    gradient(context, unit, gradient) {
      if (!isSparse(unit)) return gradient;
      const ones = ({ dims }: Parameter) => Tensor.float32(dims, new Float32Array(sizeOf(dims)).fill(1));
      const mask = context.state(MASK, unit, () => ones(unit.parameters[0]!));
      states.set(unit, mask);
      if (rule.gradients) context.observable('gradient', unit, gradient);
      return rule.optimizer === 'dense' ? gradient : context.b.mul(gradient, mask.value);
    },
    // A weight of 0 without a gradient and without a past stays 0 by itself: one pass over the weights is enough then.
    updated: (context, unit, next) =>
      isSparse(unit) && (rule.optimizer === 'dense' || context.penalized.has(unit))
        ? context.b.mul(next, states.get(unit)!.value)
        : next,
    async started(run) {
      seen = run.update;
      if (begun) return;
      begun = true;
      const masks = new SparseMasks(run, layers, rule.optimizer);
      await rule.begin?.(masks);
      masks.logDensity();
    },
    async beforeStep(run) {
      await rule.beforeStep?.(new SparseMasks(run, layers, rule.optimizer));
    },
    async afterStep(run) {
      if (run.update === seen) return;
      seen = run.update;
      await rule.afterStep?.(new SparseMasks(run, layers, rule.optimizer));
    },
    exported(run, replaced) {
      const exported = new Map<string, Tensor>();
      for (const layer of layers) {
        const tensor = replaced.get(layer.name);
        if (!tensor) continue;
        const mask = new SparseMasks(run, layers, rule.optimizer).mask(layer);
        exported.set(layer.name, Tensor.float32(tensor.dims, clearGaps(tensor.toFloat32().slice(), mask)));
      }
      return exported;
    },
    exportModel: removeZeroChannels,
    save: () => ({ begun, rule: rule.save?.() ?? null }),
    restore(saved, tensors) {
      const { begun: was, rule: own } = saved as { begun: boolean; rule: unknown };
      begun = was;
      rule.restore?.(own, tensors);
    },
  };
}
