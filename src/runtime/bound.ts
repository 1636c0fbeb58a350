import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-web';
import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import type { Engine } from './backend.js';
import { fromOrt, sharesMemory, toOrt } from './convert.js';
import { DeviceTensor } from './device.js';

export type RunTensor = Tensor | DeviceTensor;

/** Runs the session behind a bound run; checks that it is not released. */
export type Invoke = (
  feeds: Record<string, OrtTensor>,
  fetches: Record<string, OrtTensor | null>,
) => Promise<InferenceSession.ReturnType>;

/**
 * A run whose inputs and outputs are checked and converted once, for loops that repeat it: a training step binds
 * two, each writing the state that the other reads. Every run reads the memory of the fed tensors anew, so new data
 * is written into their typed arrays; outputs that were given a tensor are written into its memory.
 */
export class BoundRun {
  private readonly engine: Engine;
  private readonly invoke: Invoke;
  private readonly feeds: Record<string, OrtTensor> = {};
  private readonly fetches: Record<string, OrtTensor | null> = {};
  private readonly targets: [name: string, target: Tensor | null][] = [];
  /** Fed tensors in memory that ONNX Runtime cannot read, and the copies that it reads. */
  private readonly staged: Map<string, [source: Tensor, copy: Uint8Array]> = new Map();

  /** For `Session.bind`, which has checked the names, dtypes and shapes. */
  constructor(
    engine: Engine,
    invoke: Invoke,
    feeds: Readonly<Record<string, RunTensor>>,
    outputs: Readonly<Record<string, Tensor | null>>,
  ) {
    this.engine = engine;
    this.invoke = invoke;
    for (const [name, tensor] of Object.entries(feeds)) this.setFeed(name, tensor);
    for (const [name, target] of Object.entries(outputs)) {
      if (target && (!target.resident || target.dtype === 'string')) {
        throw new WhittleError('an output can only be written into numbers in memory', { value: name });
      }
      const direct = target && engine.writesOutputs && sharesMemory(target);
      this.fetches[name] = direct ? toOrt(engine.ort, target, name) : null;
      this.targets.push([name, target]);
    }
  }

  /** Replaces a fed tensor by another of the same dtype and shape. */
  feed(name: string, tensor: RunTensor): void {
    const old = this.feeds[name];
    if (old?.type !== tensor.dtype || !sameDims(old.dims, tensor.dims)) {
      throw new WhittleError(
        `the feed "${name}" must keep its dtype and shape; bind another run for new ones`,
      );
    }
    this.setFeed(name, tensor);
  }

  /** Runs once. Outputs that were bound to a tensor come as that tensor. */
  async run(): Promise<Record<string, RunTensor>> {
    for (const [source, copy] of this.staged.values()) copy.set(source.bytes());
    const results = await this.invoke(this.feeds, this.fetches);
    const outputs: Record<string, RunTensor> = {};
    for (const [name, target] of this.targets) {
      if (target && this.fetches[name]) {
        outputs[name] = target;
        continue;
      }
      const result = results[name] as OrtTensor;
      if (!target) {
        outputs[name] = result.location === 'cpu' ? fromOrt(result) : new DeviceTensor(result);
        continue;
      }
      const { dtype, dims } = target;
      if (result.type !== dtype || !sameDims(result.dims, dims)) {
        throw new WhittleError(
          `the output is ${result.type} [${result.dims.join(', ')}], but is bound to ${dtype} [${dims.join(', ')}]`,
          { value: name },
        );
      }
      if (result.location !== 'cpu') await result.getData(true);
      target.bytes().set(fromOrt(result).bytes());
      outputs[name] = target;
    }
    return outputs;
  }

  private setFeed(name: string, tensor: RunTensor): void {
    this.staged.delete(name);
    if (tensor instanceof DeviceTensor) {
      this.feeds[name] = tensor.native;
      return;
    }
    const ortTensor = toOrt(this.engine.ort, tensor, name);
    this.feeds[name] = ortTensor;
    if (tensor.resident && tensor.dtype !== 'string' && !sharesMemory(tensor)) {
      this.staged.set(name, [tensor, fromOrt(ortTensor).bytes()]);
    }
  }
}

const sameDims = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i]);
