import type { Batch } from '../../datasets/dataset.js';
import { WhittleError } from '../../graph/errors.js';
import { sizeOf, Tensor } from '../../graph/tensor.js';
import type { BoundRun } from '../../runtime/bound.js';
import { createSession } from '../../runtime/create.js';
import type { SessionOptions } from '../../runtime/options.js';
import type { Session } from '../../runtime/session.js';
import { LossScale } from './loss-scale.js';
import type { Observable, ScalarInput, StepInputs } from './state.js';
import { StateBuffers } from './state-buffers.js';
import type { TrainingStep } from './step.js';

/** What the caller chooses anew for each step. */
export interface Rates {
  readonly learningRate: number;
  /** Default 0. */
  readonly weightDecay?: number;
  /** Number of this update as the optimizer counts, from 1; default the updates made so far, and one. */
  readonly count?: number;
}

export interface RunnerOptions extends SessionOptions {
  /** Seed of dropout; default 0. */
  readonly seed?: number;
}

/** How far a runner is; with the states it is all that a resume needs. */
export interface RunnerProgress {
  readonly update: number;
  readonly batch: number;
  readonly lossScale: readonly [scale: number, goodUpdates: number];
}

/** Batch shapes that are bound at the same time; each is two runs that hold no data of their own. */
const MAX_BOUND = 8;

/**
 * Runs a training step again and again. Parameters and states stay in two sets of tensors, one read and the other
 * written, so that a step allocates nothing of its own.
 */
export class StepRunner {
  readonly step: TrainingStep;
  readonly states: StateBuffers;
  private readonly session: Session;
  private readonly scalars: readonly (readonly [ScalarInput, Tensor])[];
  private readonly metrics: Record<string, Tensor>;
  private readonly bound: Map<string, [BoundRun?, BoundRun?]> = new Map();
  private readonly lossScale: LossScale = new LossScale();
  private readonly seed: number;
  /** What the last run was asked for. */
  private readonly observations: Map<Observable, Tensor> = new Map();
  /** Memory for it, by the output's name. */
  private readonly memory: Map<string, Tensor> = new Map();
  private updates = 0;
  private batches = 0;

  private constructor(step: TrainingStep, session: Session, seed: number) {
    this.step = step;
    this.session = session;
    this.seed = seed;
    this.states = new StateBuffers(step.states);
    this.scalars = step.scalars.map(input => [input, Tensor.fromNumbers(input.dtype, [], [0])] as const);
    this.metrics = Object.fromEntries(step.metrics.map(name => [name, Tensor.scalar(0)]));
  }

  /** Loads the step into ONNX Runtime. @throws WhittleError where that fails */
  static async create(step: TrainingStep, { seed = 0, ...options }: RunnerOptions = {}): Promise<StepRunner> {
    return new StepRunner(step, await createSession(step.model, options), seed);
  }

  /** Updates made so far. */
  get update(): number {
    return this.updates;
  }

  /** Batches seen so far. */
  get batch(): number {
    return this.batches;
  }

  /**
   * Runs one batch; with accumulation, every so many of them move the weights.
   * @param observe names of observables to be fetched this time
   * @returns the metrics, `loss` among them
   * @throws WhittleError where the batch does not fit the step's inputs, or a rate is not finite
   */
  async run(
    batch: Batch,
    { learningRate, weightDecay = 0, count = this.updates + 1 }: Rates,
    observe: readonly string[] = [],
  ): Promise<Record<string, number>> {
    this.checkRates({ learningRate, weightDecay });
    const { accumulation = 1, lossScaling = false } = this.step.options;
    const microBatch = this.batches % accumulation;
    this.setScalars({
      update: count,
      learningRate,
      weightDecay,
      batch: this.batches,
      microBatch,
      seed: this.seed,
      lossScale: lossScaling ? this.lossScale.scale : 1,
    });
    this.step.check?.(batch);
    this.observations.clear();
    await this.bind(batch, this.observablesOf(observe)).run();
    this.states.swap();
    this.batches++;
    const metrics: Record<string, number> = {};
    for (const name in this.metrics) metrics[name] = this.metrics[name]!.toFloat32()[0]!;
    if (microBatch < accumulation - 1) return metrics;
    const overflowed = lossScaling && !Number.isFinite(metrics.gradient_norm);
    if (lossScaling) this.lossScale.observe(overflowed);
    if (!overflowed) this.updates++;
    return metrics;
  }

  get progress(): RunnerProgress {
    return { update: this.updates, batch: this.batches, lossScale: this.lossScale.state };
  }

  /** Continues the count of a runner of the same step; the states are written one by one. */
  restore({ update, batch, lossScale }: RunnerProgress): void {
    this.updates = update;
    this.batches = batch;
    this.lossScale.restore(lossScale);
  }

  release(): Promise<void> {
    return this.session.release();
  }

  private checkRates(rates: Required<Omit<Rates, 'count'>>): void {
    for (const [name, rate] of Object.entries(rates)) {
      // As the graph gets it.
      if (Number.isFinite(Math.fround(rate))) continue;
      const words = name === 'learningRate' ? 'learning rate' : 'weight decay';
      throw new WhittleError(`the ${words} of update ${this.updates + 1} is ${rate}`, {
        value: name,
        hint: 'Look at the number or the schedule that it comes from',
      });
    }
  }

  private setScalars(inputs: StepInputs): void {
    for (const [{ of }, tensor] of this.scalars) {
      (tensor.data() as Float32Array)[0] = of(inputs);
    }
  }

  /** What the last run was asked for. @throws WhittleError where it was not asked for this */
  observed(name: string): Tensor {
    for (const [{ parts }, tensor] of this.observations) {
      const part = parts.find(other => other.name === name);
      if (!part) continue;
      const data = tensor.toFloat32();
      return Tensor.float32(part.dims, data.slice(part.offset, part.offset + sizeOf(part.dims)));
    }
    throw new WhittleError('the last step was not asked for this', { value: name });
  }

  private observablesOf(names: readonly string[]): Set<Observable> {
    return new Set(
      names.map(name => {
        const found = this.step.observables.find(({ parts }) => parts.some(part => part.name === name));
        if (found) return found;
        throw new WhittleError('the step has nothing of this name to observe', { value: name });
      }),
    );
  }

  private bind(batch: Batch, observables: ReadonlySet<Observable>): BoundRun {
    const { side } = this.states;
    const shapes = this.step.batch.map(({ name }) => this.tensorOf(batch, name).dims.join('×'));
    for (const observable of observables) {
      const { dims, output } = observable;
      const tensor = this.memory.get(output) ?? Tensor.float32(dims, new Float32Array(sizeOf(dims)));
      this.memory.set(output, tensor);
      this.observations.set(observable, tensor);
    }
    const key = [...shapes, ...[...observables].map(({ output }) => output)].join(' ');
    let pair = this.bound.get(key);
    if (!pair) {
      if (this.bound.size >= MAX_BOUND) this.bound.delete(this.bound.keys().next().value!);
      pair = [];
      this.bound.set(key, pair);
    }
    const known = pair[side];
    if (known) {
      for (const { name } of this.step.batch) known.feed(name, batch[name]!);
      return known;
    }
    const feeds: Record<string, Tensor> = {};
    for (const { name } of this.step.batch) feeds[name] = batch[name]!;
    for (const [{ name }, tensor] of this.scalars) feeds[name] = tensor;
    const outputs: Record<string, Tensor> = { ...this.metrics };
    for (const slot of this.states.slots) {
      feeds[slot.input] = this.states.tensors(slot, side);
      if (slot.output !== undefined) outputs[slot.output] = this.states.tensors(slot, side === 0 ? 1 : 0);
    }
    for (const [{ output }, tensor] of this.observations) outputs[output] = tensor;
    const run = this.session.bind(feeds, outputs);
    pair[side] = run;
    return run;
  }

  private tensorOf(batch: Batch, name: string): Tensor {
    const tensor = batch[name];
    if (tensor) return tensor;
    const has = Object.keys(batch).join(', ');
    throw new WhittleError(`the batch lacks "${name}"; it holds ${has || 'nothing'}`, { value: name });
  }
}
