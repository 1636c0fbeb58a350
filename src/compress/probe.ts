import type { Site } from '../calibrate/sites.js';
import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/index.js';
import { sizeOf, type Tensor } from '../graph/tensor.js';
import { createSession, type Tensors } from '../runtime/index.js';
import { cutOut } from './fragment.js';
import type { Candidate } from './method.js';

/**
 * Measures candidates for one site by real forward passes of its layer, on inputs captured from the model: the way of
 * source 4, against which the closed form is tested.
 */
export class LayerProbe {
  private readonly site: Site;
  private readonly model: Model;
  private readonly runs: readonly Tensors[];
  private reference: Promise<Tensor[][]> | undefined;
  private readonly threads: number | undefined;

  /** @param runs see `captureInputs`; at least one */
  constructor(site: Site, model: Model, runs: readonly Tensors[], threads?: number) {
    this.site = site;
    this.model = model;
    this.runs = runs;
    this.threads = threads;
  }

  /** ‖y − ŷ‖ / ‖y − ȳ‖ of the layer's output over the captured inputs. */
  async error(candidate: Candidate): Promise<number> {
    const { model, target } = cutOut(this.site, this.model, this.runs[0]);
    candidate.apply(target);
    removeDead(model.graph);
    this.reference ??= this.run(cutOut(this.site, this.model, this.runs[0]).model);
    return compareRuns(await this.reference, await this.run(model), this.site);
  }

  private async run(model: Model): Promise<Tensor[][]> {
    const session = await createSession(model, this.threads === undefined ? {} : { threads: this.threads });
    try {
      const results: Tensor[][] = [];
      for (const feeds of this.runs) results.push(Object.values(await session.run(feeds)));
      return results;
    } finally {
      await session.release();
    }
  }
}

/**
 * ‖y − ŷ‖ / ‖y − ȳ‖ over all runs, ȳ the mean of each output channel. Most of a layer's output can be a constant that
 * carries no information; against the plain norm, losing everything else would pass as a small error. Uses of a shared
 * weight count as one layer.
 */
function compareRuns(reference: readonly Tensor[][], results: readonly Tensor[][], site: Site): number {
  const axis = channelAxis(site);
  const shared = new ChannelSpread();
  const spreads = reference[0]!.map(() =>
    site.uses.length > 1 && !site.mixed ? shared : new ChannelSpread(),
  );
  let difference = 0;
  for (const [run, outputs] of reference.entries()) {
    for (const [output, y] of outputs.entries()) {
      const expected = y.toFloat32();
      const actual = results[run]![output]!.toFloat32();
      for (let i = 0; i < expected.length; i++) difference += (expected[i]! - actual[i]!) ** 2;
      spreads[output]!.add(expected, y.dims, axis);
    }
  }
  const spread = [...new Set(spreads)].reduce((sum, { total }) => sum + total, 0);
  return difference === 0 ? 0 : Math.sqrt(difference / spread);
}

/** Where the output has a layer's channels: after the batch, last for x · W, last but one for W · x. */
function channelAxis({ kind, uses }: Site): number {
  if (kind.startsWith('conv')) return 1;
  return kind === 'linear' && uses[0]!.index === 0 ? -2 : -1;
}

/** Σ (y − ȳ)², ȳ being the mean of each channel. */
class ChannelSpread {
  private sums: Float64Array | undefined;
  private squares = 0;
  private count = 0;

  add(values: Float32Array, dims: readonly number[], axis: number): void {
    const at = axis < 0 ? dims.length + axis : axis;
    const channels = dims[at]!;
    const inner = sizeOf(dims.slice(at + 1));
    this.sums ??= new Float64Array(channels);
    for (let i = 0; i < values.length; i++) {
      this.sums[Math.floor(i / inner) % channels]! += values[i]!;
      this.squares += values[i]! ** 2;
    }
    this.count += values.length / channels;
  }

  get total(): number {
    return this.squares - this.sums!.reduce((sum, s) => sum + s * s, 0) / this.count;
  }
}
