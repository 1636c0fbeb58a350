import { cloneModel } from '../graph/clone.js';
import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/index.js';
import { Tensor } from '../graph/tensor.js';
import { tensorType, type Value } from '../graph/value.js';
import { createSession, type Session, type Tensors } from '../runtime/index.js';
import { Agreement } from './agreement.js';
import { Distortion } from './distortion.js';
import { fromMatrix } from './matrix.js';
import type { OutputAgreement } from './report.js';
import type { Site } from './sites.js';

/**
 * The whole model with its weights as inputs, so that the effect of any replacement on the outputs is one run away,
 * with no session to make anew.
 */
export class EndToEnd {
  private readonly session: Session;
  private readonly samples: readonly Tensors[];
  private readonly names: ReadonlyMap<Site, string>;
  private readonly weights: Record<string, Tensor>;
  private readonly reference: readonly Tensors[];
  private readonly distortion: Distortion;

  private constructor(
    session: Session,
    samples: readonly Tensors[],
    names: ReadonlyMap<Site, string>,
    weights: Record<string, Tensor>,
    reference: readonly Tensors[],
  ) {
    this.session = session;
    this.samples = samples;
    this.names = names;
    this.weights = weights;
    this.reference = reference;
    this.distortion = new Distortion(reference);
  }

  /** @param samples on which the effect is measured; few are enough */
  static async create(
    model: Model,
    sites: readonly Site[],
    samples: readonly Tensors[],
    threads?: number,
  ): Promise<EndToEnd> {
    const values = new Map<Value, Value>();
    const copy = cloneModel(model, values);
    const names = new Map<Site, string>();
    const weights: Record<string, Tensor> = {};
    for (const site of sites) {
      if (site.nested) continue;
      const value = values.get(site.value)!;
      const input = copy.graph.addInput('weight', tensorType(site.tensor.dtype, site.tensor.dims));
      copy.graph.replaceUses(value, input);
      names.set(site, input.name);
      // Read once: a tensor on disk is read anew at every use.
      weights[input.name] = new Tensor(site.tensor.dtype, site.tensor.dims, site.tensor.bytes());
    }
    removeDead(copy.graph);
    const session = await createSession(copy, threads === undefined ? {} : { threads });
    const reference: Tensors[] = [];
    for (const sample of samples) reference.push(await session.run({ ...sample, ...weights }));
    return new EndToEnd(session, samples, names, weights, reference);
  }

  /** Whether the site can be probed: its weight is not hidden in a subgraph. */
  reaches(site: Site): boolean {
    return this.names.has(site);
  }

  /**
   * Mean distortion of the outputs when weights are replaced.
   * @param replacements in matrix order
   */
  async measure(replacements: ReadonlyMap<Site, Float32Array>): Promise<number> {
    let sum = 0;
    for await (const [i, outputs] of this.runs(replacements)) sum += this.distortion.ofSample(i, outputs);
    return sum / this.samples.length;
  }

  /** The same comparison as verification makes, on the samples of the probes. */
  async agreement(replacements: ReadonlyMap<Site, Float32Array>): Promise<OutputAgreement[]> {
    const agreements = new Map<string, Agreement>();
    for await (const [i, outputs] of this.runs(replacements)) {
      for (const [name, expected] of Object.entries(this.reference[i]!)) {
        if (expected.dtype === 'string') continue;
        const agreement = agreements.get(name) ?? new Agreement(name);
        agreements.set(name, agreement);
        agreement.add(expected, outputs[name]!);
      }
    }
    return [...agreements.values()].map(agreement => agreement.result);
  }

  private async *runs(replacements: ReadonlyMap<Site, Float32Array>): AsyncGenerator<[number, Tensors]> {
    const feeds = { ...this.weights };
    for (const [site, matrix] of replacements) {
      const { dims, dtype } = site.tensor;
      feeds[this.names.get(site)!] = Tensor.fromNumbers(dtype, dims, fromMatrix(matrix, dims, site.layout));
    }
    for (const [i, sample] of this.samples.entries()) {
      yield [i, await this.session.run({ ...sample, ...feeds })];
    }
  }

  release(): Promise<void> {
    return this.session.release();
  }
}
