import { Tensor } from '../../graph/tensor.js';
import type { Parameter } from '../../nn/parameter.js';
import type { TrainingRun } from '../../train/method.js';
import { parameterSize } from '../../train/step/units.js';
import { clearGaps } from './select.js';

/** Of a mask in checkpoints: `mask/` and the parameter's name; 1 where a weight is, 0 where none is. */
export const MASK = 'mask';

/** The masks of a training in progress, and what rules need to move them. */
export class SparseMasks {
  readonly run: TrainingRun;
  readonly layers: readonly Parameter[];

  private readonly optimizer: 'sparse' | 'dense';
  /** Masks that were read or set, with the number of weights that are there where it is known. */
  private readonly known: Map<string, { readonly mask: Float32Array; count?: number }> = new Map();

  /** @param optimizer whether it goes on for absent weights (`dense`) or not */
  constructor(run: TrainingRun, layers: readonly Parameter[], optimizer: 'sparse' | 'dense' = 'sparse') {
    this.run = run;
    this.layers = layers;
    this.optimizer = optimizer;
  }

  /** Weights of all layers that have masks, masked or not. */
  get size(): number {
    return this.layers.reduce((sum, layer) => sum + parameterSize(layer), 0);
  }

  weights({ name }: Parameter): Float32Array {
    return this.run.read(name).toFloat32();
  }

  /** 1 where a weight is, 0 where none is; to be read only. */
  mask(layer: Parameter): Float32Array {
    return this.knownOf(layer).mask;
  }

  /** Weights that are there. */
  count(layer: Parameter): number {
    const known = this.knownOf(layer);
    known.count ??= count(known.mask);
    return known.count;
  }

  /** The dense gradient of the last step, which `observeGradients` asked for. */
  gradient({ name }: Parameter): Float32Array {
    return this.run.observed(`gradient/${name}`).toFloat32();
  }

  observeGradients(): void {
    for (const { name } of this.layers) this.run.observe(`gradient/${name}`);
  }

  /**
   * Gives a layer a new mask. Weights without a place become 0, and so does what the optimizer keeps for them, unless
   * it goes on for absent weights; new weights begin at 0.
   */
  set(layer: Parameter, mask: Float32Array): void {
    const { run } = this;
    const { name, dims } = layer;
    const before = this.mask(layer);
    let kept = 0;
    let grown = 0;
    for (let i = 0; i < mask.length; i++) {
      kept += mask[i]!;
      grown += mask[i]! * (1 - before[i]!);
    }
    this.known.set(name, { mask, count: kept });
    run.write(`${MASK}/${name}`, Tensor.float32(dims, mask));
    this.apply(name, dims, mask);
    if (this.optimizer === 'sparse') {
      for (const state of run.optimizerStates) this.apply(`${state}/${name}`, dims, mask);
    }
    run.log(`density/${name}`, kept / mask.length);
    run.log(`moved/${name}`, kept === 0 ? 0 : grown / kept);
  }

  /** Logs the share of weights that are there, over all layers. */
  logDensity(): void {
    const kept = this.layers.reduce((sum, layer) => sum + this.count(layer), 0);
    this.run.log('density', kept / this.size);
  }

  private knownOf({ name }: Parameter): { readonly mask: Float32Array; count?: number } {
    const known = this.known.get(name) ?? { mask: this.run.read(`${MASK}/${name}`).toFloat32() };
    this.known.set(name, known);
    return known;
  }

  private apply(name: string, dims: readonly number[], mask: Float32Array): void {
    // `read` gives a copy.
    const values = clearGaps(this.run.read(name).toFloat32(), mask);
    this.run.write(name, Tensor.float32(dims, values));
  }
}

/** Ones in a mask. */
export function count(mask: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < mask.length; i++) sum += mask[i]!;
  return sum;
}
