import type { Dataset } from '../datasets/dataset.js';
import type { CustomGradients } from '../graph/autodiff/index.js';
import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import { cloneNetwork } from '../nn/clone.js';
import type { Network } from '../nn/network.js';
import type { TrainingMethod, TrainingRun } from './method.js';
import type { Objective } from './objective.js';
import type { Saved } from './saved-parts.js';
import type { StepRunner } from './step/runner.js';
import { gradientRules } from './step/step.js';

/** A training in progress as methods see it. */
export class Run implements TrainingRun {
  readonly updates: number;
  readonly data: Dataset;
  readonly seed: number;
  learningRate = 0;
  metrics: Readonly<Record<string, number>> = {};
  /** What methods logged since the last step. */
  readonly logged: Map<string, number> = new Map();
  private readonly runner: StepRunner;
  private readonly methods: readonly TrainingMethod[];
  /** What the next step is asked for. */
  private readonly wanted: Set<string> = new Set();

  constructor(runner: StepRunner, { updates, data, seed }: Pick<Run, 'updates' | 'data' | 'seed'>) {
    this.runner = runner;
    this.updates = updates;
    this.data = data;
    this.seed = seed;
    this.methods = runner.step.options.methods ?? [];
  }

  get network(): Network {
    return this.runner.step.network;
  }

  get objective(): Objective {
    return this.runner.step.options.objective;
  }

  get gradientRules(): CustomGradients {
    return gradientRules(this.methods);
  }

  get optimizerStates(): readonly string[] {
    return this.runner.step.optimizerStates;
  }

  get update(): number {
    return this.runner.update;
  }

  get names(): Iterable<string> {
    return this.runner.states.names;
  }

  read(name: string): Tensor {
    return this.runner.states.read(name);
  }

  write(name: string, tensor: Tensor): void {
    this.runner.states.write(name, tensor);
  }

  observe(name: string): void {
    this.wanted.add(name);
  }

  /** What the next step is to observe; asked once. */
  takeWanted(): string[] {
    const names = [...this.wanted];
    this.wanted.clear();
    return names;
  }

  observed(name: string): Tensor {
    return this.runner.observed(name);
  }

  /** Whether the weights are what all methods are for. */
  get settled(): boolean {
    return this.methods.every(method => method.settled?.(this) ?? true);
  }

  log(name: string, value: number): void {
    this.logged.set(name, value);
  }

  async tell(when: 'started' | 'beforeStep' | 'afterStep'): Promise<void> {
    for (const method of this.methods) await method[when]?.(this);
  }

  /** Parameters that methods put in the place of the present ones; the last method has the last word. */
  replacements(): ReadonlyMap<string, Tensor> {
    const replaced = new Map<string, Tensor>();
    for (const method of this.methods) {
      for (const [name, tensor] of method.exported?.(this, replaced) ?? []) replaced.set(name, tensor);
    }
    return replaced;
  }

  /** Present parameters and buffers, replaced or not. */
  weights({ replaced }: { replaced: boolean }): Map<string, Tensor> {
    const replacements = replaced ? this.replacements() : new Map<string, Tensor>();
    const weights = new Map<string, Tensor>();
    for (const name of this.network.parameters.keys()) {
      const present = this.runner.states.has(name) ? this.read(name) : this.network.tensor(name);
      weights.set(name, replacements.get(name) ?? present);
    }
    return weights;
  }

  /** What optimizer and methods keep, in the graph and outside. */
  states(): Map<string, Tensor> {
    const names = [...this.names].filter(name => !this.network.parameters.has(name));
    const states = new Map(names.map(name => [name, this.read(name)]));
    for (const method of this.methods) {
      for (const [name, tensor] of method.saveTensors?.() ?? []) states.set(keptName(method, name), tensor);
    }
    return states;
  }

  /** The methods, each as a part of a checkpoint whose tensors are `states`. */
  savedMethods(states: ReadonlyMap<string, Tensor> = new Map()): Record<string, Saved> {
    const parts = this.methods.map(method => {
      const prefix = keptName(method, '');
      const kept = [...states].filter(([name]) => name.startsWith(prefix));
      const tensors = new Map(kept.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
      const part: Saved = {
        ...(method.save && { save: () => method.save!() }),
        ...(method.restore && { restore: saved => method.restore!(saved, tensors) }),
      };
      return [`method ${method.name}`, part] as const;
    });
    return Object.fromEntries(parts);
  }

  /** Puts a checkpoint's tensors back. @throws WhittleError where they are not those of this training */
  restore(model: ReadonlyMap<string, Tensor>, states: ReadonlyMap<string, Tensor>, place: string): void {
    const saved = new Map([...model, ...states]);
    for (const name of this.names) {
      const tensor = saved.get(name);
      if (!tensor) {
        throw new WhittleError('the checkpoint lacks a tensor that this training needs', {
          file: place,
          value: name,
          hint: 'Was it saved with another network, optimizer or method?',
        });
      }
      this.write(name, tensor);
    }
    const known = (name: string): boolean =>
      this.runner.states.has(name) ||
      this.methods.some(m => m.saveTensors && name.startsWith(keptName(m, '')));
    const surplus = [...states.keys()].find(name => !known(name));
    if (surplus !== undefined) {
      throw new WhittleError('the checkpoint holds a state that this training does not have', {
        file: place,
        value: surplus,
        hint: 'Was it saved with another optimizer or method?',
      });
    }
  }

  /** A copy of the network with these weights. */
  networkWith(weights: ReadonlyMap<string, Tensor>): Network {
    const copy = cloneNetwork(this.network);
    for (const [name, tensor] of weights) copy.setTensor(name, tensor);
    return copy;
  }
}

/** The name in a checkpoint of a tensor that a method keeps outside of the graph. */
const keptName = (method: TrainingMethod, name: string): string => `kept by ${method.name}/${name}`;
