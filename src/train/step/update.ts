import type { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';
import { clipByNorm, clipByValue, globalNorm } from './clip.js';
import type { StepContext } from './context.js';
import type { StepOptions } from './options.js';
import type { State, StateSlot } from './state.js';
import { parameterSize, type Unit } from './units.js';

/** The second half of a step: from gradients to the next values of parameters and states. */
export class UpdateBuilder {
  private readonly context: StepContext;
  private readonly options: StepOptions;
  private readonly b: Builder;
  private readonly next: Map<Unit, Value> = new Map();
  /** Whether the weights move in this run: not with every batch while gradients accumulate. */
  private gate: Value | undefined;
  /** States that move with every batch. */
  private readonly ungated: Set<State> = new Set();

  constructor(context: StepContext, options: StepOptions) {
    this.context = context;
    this.options = options;
    this.b = context.b;
  }

  /** What the loss is multiplied by before it is differentiated; absent where that is always 1. */
  lossFactor(): Value | undefined {
    const { accumulation = 1, lossScaling = false } = this.options;
    if (accumulation === 1 && !lossScaling) return undefined;
    return this.context.scalar('loss_factor', ({ lossScale }) => lossScale / accumulation);
  }

  /** Builds the next values of all parameters. */
  build(byParameter: ReadonlyMap<string, Value>): void {
    const { b, context, options } = this;
    const { methods = [], accumulation = 1, lossScaling = false, clip = {} } = options;
    b.scope = 'update/';
    const units = [...context.units.keys()].filter(unit => unit.group);
    let gradients = units.map(unit => this.unitGradient(unit, byParameter));
    if (accumulation > 1) gradients = units.map((unit, i) => this.accumulate(unit, gradients[i]!));
    if (lossScaling) {
      const inverse = context.scalar('inverse_loss_scale', ({ lossScale }) => 1 / lossScale);
      gradients = gradients.map(g => b.mul(g, inverse));
    }
    for (const method of methods) {
      if (method.gradient) gradients = gradients.map((g, i) => method.gradient!(context, units[i]!, g));
    }
    if (clip.value !== undefined) {
      const limit = clip.value;
      gradients = clipByValue(
        b,
        gradients,
        context.scalar('clip_value', () => limit),
      );
    }
    if (clip.norm !== undefined || lossScaling || options.gradientNorm) {
      const norm = globalNorm(b, gradients);
      context.metric('gradient_norm', norm);
      if (lossScaling) this.require(b.binary('Less', norm, Number.POSITIVE_INFINITY));
      if (clip.norm !== undefined) {
        const limit = clip.norm;
        gradients = clipByNorm(
          b,
          gradients,
          norm,
          context.scalar('clip_norm', () => limit),
        );
      }
    }
    if (accumulation > 1) {
      this.require(
        context.scalar('moves', ({ microBatch }) => Number(microBatch === accumulation - 1), 'bool'),
      );
    }
    units.forEach((unit, i) => this.update(unit, gradients[i]!));
  }

  /**
   * Turns next values into outputs by `output`, which returns their names.
   * @returns all states, the parameters first
   */
  finish(output: (value: Value, name: string) => string): StateSlot[] {
    const { context } = this;
    const slots: StateSlot[] = [];
    for (const [unit, value] of context.units) {
      const next = unit.group ? this.gated(this.next.get(unit)!, value) : this.nextBuffers(unit);
      slots.push({ ...this.unitSlot(unit), input: value.name, output: output(next, `next/${value.name}`) });
    }
    for (const { slot, state } of context.states) {
      const next = state.next ?? state.value;
      const kept = next === state.value || this.ungated.has(state) ? next : this.gated(next, state.value);
      const moves = next !== state.value;
      slots.push({ ...slot, output: moves ? output(kept, `next/${slot.input}`) : undefined });
    }
    return slots;
  }

  private unitGradient(unit: Unit, byParameter: ReadonlyMap<string, Value>): Value {
    const parts = unit.parameters.map(({ name }) => byParameter.get(name)!);
    if (parts.length === 1) return parts[0]!;
    return this.b.concat(
      parts.map((part, i) => this.b.reshape(part, [parameterSize(unit.parameters[i]!)])),
      0,
    );
  }

  private accumulate(unit: Unit, gradient: Value): Value {
    const { b, context } = this;
    const sum = context.state('accumulated', unit);
    const first = context.scalar('first_micro_batch', ({ microBatch }) => Number(microBatch === 0), 'bool');
    // Where rather than a factor of 0: an overflow must not outlive its update.
    sum.next = b.where(first, gradient, b.add(sum.value, gradient));
    this.ungated.add(sum);
    return sum.next;
  }

  private update(unit: Unit, gradient: Value): void {
    const { b, context } = this;
    const { optimizer, methods = [] } = this.options;
    const group = unit.group!;
    const { learningRate: rateFactor, weightDecay: decayFactor } = group;
    const penalties = methods.flatMap(method => method.penalty?.(context, unit) ?? []);
    if (penalties.length > 0) context.penalized.add(unit);
    const next = optimizer.update({
      b,
      parameter: context.units.get(unit)!,
      gradient,
      learningRate: context.scalar(
        factored('learning_rate', rateFactor),
        ({ learningRate }) => learningRate * rateFactor,
      ),
      weightDecay:
        decayFactor === 0
          ? undefined
          : context.scalar(
              factored('weight_decay', decayFactor),
              ({ weightDecay }) => weightDecay * decayFactor,
            ),
      penalty: penalties.length > 0 ? b.total(penalties) : undefined,
      state: name => {
        context.optimizerStates.add(name);
        return context.state(name, unit);
      },
      scalar: (name, of) => context.scalar(name, of),
    });
    const kept = methods.reduce((value, method) => method.updated?.(context, unit, value) ?? value, next);
    this.next.set(unit, kept);
  }

  private nextBuffers(unit: Unit): Value {
    const { b, context } = this;
    const parts = unit.parameters.map(({ name }) => context.network.updates.get(name)!);
    return b.concat(
      parts.length === 1
        ? parts
        : parts.map((part, i) => b.reshape(part, [parameterSize(unit.parameters[i]!)])),
      0,
    );
  }

  private unitSlot(unit: Unit): Omit<StateSlot, 'input' | 'output'> {
    let offset = 0;
    const parts = unit.parameters.map(parameter => {
      const part = { name: parameter.name, dims: parameter.dims, offset };
      offset += parameterSize(parameter);
      return part;
    });
    const initial = new Map(parts.map(({ name }) => [name, this.context.initial(name)]));
    return { dtype: 'float32', dims: unit.dims, parts, initial };
  }

  private require(condition: Value): void {
    this.gate = this.gate ? this.b.op('And', [this.gate, condition]) : condition;
  }

  private gated(next: Value, previous: Value): Value {
    return this.gate ? this.b.where(this.gate, next, previous) : next;
  }
}

const factored = (name: string, factor: number): string => (factor === 1 ? name : `${name}*${factor}`);
