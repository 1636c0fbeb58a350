import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import { cloneNetwork } from '../nn/clone.js';
import type { Network } from '../nn/network.js';
import type { TrainingMethod, TrainingRun } from './method.js';
import type { StepRunner } from './step/runner.js';

/** A training in progress as methods see it. */
export class Run implements TrainingRun {
  readonly updates: number;
  learningRate = 0;
  metrics: Readonly<Record<string, number>> = {};
  /** What methods logged since the last step. */
  readonly logged: Map<string, number> = new Map();
  private readonly runner: StepRunner;
  private readonly methods: readonly TrainingMethod[];

  constructor(runner: StepRunner, updates: number) {
    this.runner = runner;
    this.updates = updates;
    this.methods = runner.step.options.methods ?? [];
  }

  get network(): Network {
    return this.runner.step.network;
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

  log(name: string, value: number): void {
    this.logged.set(name, value);
  }

  async tell(when: 'started' | 'beforeStep' | 'afterStep'): Promise<void> {
    for (const method of this.methods) await method[when]?.(this);
  }

  /** Parameters that methods put in the place of the present ones; the last method has the last word. */
  replacements(): ReadonlyMap<string, Tensor> {
    return new Map(this.methods.flatMap(method => [...(method.exported?.(this) ?? [])]));
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

  /** What optimizer and methods keep in the graph. */
  states(): Map<string, Tensor> {
    const names = [...this.names].filter(name => !this.network.parameters.has(name));
    return new Map(names.map(name => [name, this.read(name)]));
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
    const surplus = [...states.keys()].find(name => !this.runner.states.has(name));
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
