import type { Batch, Dataset } from '../datasets/dataset.js';
import { Order } from '../datasets/order.js';
import { typedBuilder } from '../graph/autodiff/index.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/dead.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { toInference } from '../nn/inference.js';
import { createSession } from '../runtime/create.js';
import type { SessionOptions } from '../runtime/options.js';
import type { Session } from '../runtime/session.js';
import { Means } from './means.js';
import type { Measured, Objective } from './objective.js';
import { addOutput, StepContext } from './step/context.js';
import { convolveShortcuts } from './step/convolve-shortcuts.js';
import { fixSizes } from './step/sizes.js';
import type { StateBuffers } from './step/state-buffers.js';
import type { TrainingStep } from './step/step.js';
import { attachUnits, type Unit } from './step/units.js';

/** Means over a data set, by metric: of examples, or of what the objective counts. */
export type Evaluated = Readonly<Record<string, number>>;

/**
 * Measures the network of a training step in inference form. It reads the step's own parameters where they lie, so
 * that nothing is copied or loaded anew between training and evaluation.
 */
export class Evaluator {
  private readonly session: Session;
  private readonly measured: Measured;
  private readonly objective: Objective;
  private readonly units: readonly Unit[];
  private readonly batchInputs: readonly string[];
  private readonly outputs: readonly string[];
  private readonly weight: string | undefined;

  private constructor(session: Session, plan: Plan) {
    this.session = session;
    this.measured = plan.measured;
    this.objective = plan.objective;
    this.units = plan.units;
    this.batchInputs = plan.batchInputs;
    this.outputs = plan.outputs;
    this.weight = plan.weight;
  }

  /** Names of what it measures; unknown before it ran where the objective derives more from it. */
  get metrics(): readonly string[] | undefined {
    return this.objective.derive ? undefined : this.outputs;
  }

  /**
   * @param sizes of the inputs' open dimensions, where all batches have the same: layouts are for fixed sizes alone
   * @param rewrite changes the model before it is loaded, e.g. its layout
   */
  static async create(
    step: TrainingStep,
    options: SessionOptions = {},
    { sizes = {}, rewrite = () => {} }: EvaluatorChanges = {},
  ): Promise<Evaluator> {
    const { model, ...plan } = buildEvaluation(step, sizes);
    rewrite(model);
    return new Evaluator(await createSession(model, options), plan);
  }

  /**
   * @param replacements parameters to use in the place of the present ones
   * @returns the mean of each metric over all that counts, and what the objective derives from the means
   * @throws WhittleError for an empty data set, one that lacks an input, or of which nothing counts
   */
  async run(
    dataset: Dataset,
    states: StateBuffers,
    { batchSize = EVALUATION_BATCH, replacements, signal, onBatch, onProgress }: EvaluateOptions = {},
  ): Promise<Evaluated> {
    if (dataset.length === 0) throw new WhittleError('the data set for evaluation is empty');
    const parameters = this.parameters(states, replacements);
    const order = new Order(dataset.length, { batchSize, shuffle: false, dropLast: false });
    const wanted = this.weight === undefined ? this.outputs : [...this.outputs, this.weight];
    const means = new Means();
    for (let seen = 0; seen < dataset.length; ) {
      signal?.throwIfAborted();
      const indices = order.next();
      const batch = await dataset.batch(indices);
      this.measured.check?.(batch);
      const feeds: Record<string, Tensor> = { ...parameters };
      for (const name of this.batchInputs) if (batch[name]) feeds[name] = batch[name];
      const results = await this.session.run(feeds, wanted);
      const numberOf = (name: string): number => results[name]!.toFloat32()[0]!;
      const metrics = Object.fromEntries(this.outputs.map(name => [name, numberOf(name)]));
      const weight = this.weight === undefined ? indices.length : numberOf(this.weight);
      if (weight !== 0) onBatch?.(metrics, batch, seen);
      means.add(metrics, weight);
      seen += indices.length;
      onProgress?.(seen, dataset.length);
    }
    const result = means.result();
    return { ...result, ...this.objective.derive?.(result) };
  }

  release(): Promise<void> {
    return this.session.release();
  }

  private parameters(
    states: StateBuffers,
    replacements: ReadonlyMap<string, Tensor> | undefined,
  ): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = {};
    for (const unit of this.units) {
      const present = states.unit(unit.name);
      const replaced = unit.parameters.some(({ name }) => replacements?.has(name));
      feeds[unit.name] = replaced
        ? assemble(unit, name => replacements?.get(name) ?? states.read(name))
        : present;
    }
    return feeds;
  }
}

export interface EvaluatorChanges {
  readonly sizes?: Readonly<Record<string, number>>;
  readonly rewrite?: (model: Model) => void;
}

/** Examples in a batch of an evaluation that does not say. */
export const EVALUATION_BATCH = 256;

/** The largest batch of at most this size that divides a data set evenly; `undefined` where it would be less than half. */
export function evenBatch(examples: number, most: number): number | undefined {
  for (let size = Math.min(most, examples); size * 2 > Math.min(most, examples); size--)
    if (examples % size === 0) return size;
  return undefined;
}

export interface EvaluateOptions {
  /** Default 256. */
  readonly batchSize?: number;
  readonly replacements?: ReadonlyMap<string, Tensor> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Sees what each batch measured that counts, and which example of the data set it begins with. */
  readonly onBatch?: (metrics: Readonly<Record<string, number>>, batch: Batch, first: number) => void;
  readonly onProgress?: (done: number, total: number) => void;
}

interface Plan {
  readonly measured: Measured;
  readonly objective: Objective;
  readonly units: readonly Unit[];
  readonly batchInputs: readonly string[];
  readonly outputs: readonly string[];
  /** The output that says how much a batch counts, where it is not its examples. */
  readonly weight: string | undefined;
}

function buildEvaluation(
  step: TrainingStep,
  sizes: Readonly<Record<string, number>>,
): Plan & { readonly model: Model } {
  const { objective } = step.options;
  const network = toInference(step.network);
  const { graph } = network;
  fixSizes(graph, sizes);
  const attached = attachUnits(network, step.units);
  const model = network.toModel();
  const b = typedBuilder(model);
  convolveShortcuts(b, graph);
  b.scope = 'loss/';
  const context = new StepContext(b, network, false, attached, name => step.network.tensor(name));
  const measured = objective.build(context);
  graph.outputs.length = 0;
  const outputs = Object.entries({ loss: measured.loss, ...measured.metrics }).map(([name, value]) =>
    addOutput(context, value, name),
  );
  const weight = measured.weight && addOutput(context, measured.weight, 'batch/weight');
  removeDead(graph);
  const units = step.units.filter(unit => {
    const input = attached.inputs.get(unit)!;
    if (input.uses.size > 0) return true;
    graph.inputs.splice(graph.inputs.indexOf(input), 1);
    return false;
  });
  graph.sort();
  const own = new Set(units.map(unit => unit.name));
  const batchInputs = graph.inputs.map(({ name }) => name).filter(name => !own.has(name));
  return { model, measured, objective, units, batchInputs, outputs, weight };
}

function assemble(unit: Unit, tensorOf: (name: string) => Tensor): Tensor {
  const data = new Float32Array(sizeOf(unit.dims));
  let offset = 0;
  for (const { name } of unit.parameters) {
    const piece = tensorOf(name).toFloat32();
    data.set(piece, offset);
    offset += piece.length;
  }
  return Tensor.float32(unit.dims, data);
}
