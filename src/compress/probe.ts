import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Tensor } from '../graph/tensor.js';
import { encodeToBytes, modelByteLength } from '../onnx/index.js';
import { createSession, type Tensors } from '../runtime/index.js';
import { ErrorSum } from './agreement.js';
import { cutOut } from './fragment.js';
import { toMatrix } from './matrix.js';
import type { Candidate, Measured, Probe } from './method.js';
import type { Site } from './sites.js';

/** Measures candidates for one site by running its layer on inputs captured from the model. */
export class LayerProbe implements Probe {
  readonly bytes: number;
  private readonly site: Site;
  private readonly model: Model;
  /** Inputs of the fragment, one record per run. Empty where the layer's inputs cannot be observed. */
  private readonly runs: readonly Tensors[];
  private readonly frame: number;
  private reference: Promise<Tensor[][]> | undefined;
  private readonly threads: number | undefined;

  /** @param runs see `captureInputs`; with none, errors are those of the weight itself: ‖W − Ŵ‖ / ‖W‖ */
  constructor(site: Site, model: Model, runs: readonly Tensors[], threads?: number) {
    this.site = site;
    this.model = model;
    this.runs = runs;
    this.threads = threads;
    this.bytes = site.tensor.byteLength;
    this.frame = modelByteLength(cutOut(site, model).model) - this.bytes;
  }

  async measure(candidate: Candidate): Promise<Measured> {
    const { model, target } = cutOut(this.site, this.model);
    candidate.apply(target);
    removeDead(model);
    const bytes = modelByteLength(model) - this.frame;
    if (this.runs.length === 0) return { bytes, error: await this.weightError(candidate) };
    this.reference ??= this.run(cutOut(this.site, this.model).model);
    return { bytes, error: compareRuns(await this.reference, await this.run(model)) };
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

  /** Error of the weight itself, where the layer cannot be run on its own. */
  private async weightError(candidate: Candidate): Promise<number> {
    const { model, target } = cutOut(this.site, this.model);
    const { graph } = target;
    candidate.apply(target);
    const weight = target.uses[0]!.node.inputs[target.uses[0]!.index]!;
    if (weight === target.value) throw new Error(`${candidate.label} did not replace the weight`);
    graph.outputs.length = 0;
    graph.inputs.length = 0;
    graph.addOutput(weight);
    removeDead(model);
    const session = await createSession(encodeToBytes(model));
    try {
      const [restored] = Object.values(await session.run({}));
      const sum = new ErrorSum();
      sum.add(toMatrix(this.site.tensor, this.site.layout).data, toMatrix(restored!, this.site.layout).data);
      return sum.relative;
    } finally {
      await session.release();
    }
  }
}

function compareRuns(reference: readonly Tensor[][], results: readonly Tensor[][]): number {
  const sum = new ErrorSum();
  reference.forEach((outputs, run) => {
    outputs.forEach((output, i) => {
      sum.add(output.toFloat32(), results[run]![i]!.toFloat32());
    });
  });
  return sum.relative;
}
