import type { Dataset } from '../datasets/dataset.js';
import { Order } from '../datasets/order.js';
import { typedBuilder } from '../graph/autodiff/index.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import type { Tensor } from '../graph/tensor.js';
import { Network } from '../nn/network.js';
import { createSession } from '../runtime/create.js';
import type { SessionOptions } from '../runtime/options.js';
import type { Evaluated } from '../train/evaluate.js';
import { Means } from '../train/means.js';
import type { Objective } from '../train/objective.js';
import { addOutput, StepContext } from '../train/step/context.js';

export interface MeasureOptions {
  readonly objective: Objective;
  readonly data: Dataset;
  /** Default 256. */
  readonly batchSize?: number | undefined;
  readonly session?: SessionOptions | undefined;
}

/**
 * What a model reaches on a data set by a training's objective. The model runs as it is, whatever operators it has; a
 * second graph computes loss and metrics from its outputs.
 * @throws WhittleError for an empty data set, one that lacks an input, and one of which nothing counts
 */
export async function measureModel(
  model: Model,
  { objective, data, batchSize = 256, session: options = {} }: MeasureOptions,
): Promise<Evaluated> {
  if (data.length === 0) throw new WhittleError('the data set for evaluation is empty');
  const { model: scoring, derive, check, inputs, outputs, weight } = scoringModel(model, objective);
  const wanted = weight === undefined ? outputs : [...outputs, weight];
  const session = await createSession(model, options);
  const scorer = await createSession(scoring, options);
  try {
    const order = new Order(data.length, { batchSize, shuffle: false, dropLast: false });
    const means = new Means();
    for (let seen = 0; seen < data.length; ) {
      const indices = order.next();
      const batch = await data.batch(indices);
      check?.(batch);
      const results = await session.run(select(batch, session.inputs));
      const scores = await scorer.run(select({ ...batch, ...results }, inputs), wanted);
      const numberOf = (name: string): number => scores[name]!.toFloat32()[0]!;
      const metrics = Object.fromEntries(outputs.map(name => [name, numberOf(name)]));
      means.add(metrics, weight === undefined ? indices.length : numberOf(weight));
      seen += indices.length;
    }
    const result = means.result();
    return { ...result, ...derive?.(result) };
  } finally {
    await session.release();
    await scorer.release();
  }
}

/** Loss and metrics as a graph of their own, whose inputs are the outputs of the model and the labels. */
function scoringModel(model: Model, objective: Objective) {
  const network = new Network();
  const { graph } = network;
  for (const output of model.graph.outputs) {
    if (output.dtype === undefined || output.shape === undefined) {
      throw new WhittleError('the model does not say of which type its output is', { value: output.name });
    }
    graph.outputs.push(network.input(output.name, output.dtype, output.shape));
  }
  const scored = network.toModel();
  const none = { inputs: new Map(), values: new Map() };
  const b = typedBuilder(scored);
  const context = new StepContext(b, network, false, none, name => network.tensor(name));
  const { loss, metrics, check, weight: counted } = objective.build(context);
  graph.outputs.length = 0;
  const outputs = Object.entries({ loss, ...metrics }).map(([name, value]) =>
    addOutput(context, value, name),
  );
  const weight = counted && addOutput(context, counted, 'batch/weight');
  for (const input of [...graph.inputs]) {
    if (input.uses.size === 0) graph.inputs.splice(graph.inputs.indexOf(input), 1);
  }
  graph.sort();
  const inputs = graph.inputs.map(({ name }) => ({ name }));
  return { model: scored, derive: objective.derive?.bind(objective), check, inputs, outputs, weight };
}

function select(
  tensors: Readonly<Record<string, Tensor>>,
  wanted: readonly { readonly name: string }[],
): Record<string, Tensor> {
  return Object.fromEntries(
    wanted.map(({ name }) => {
      const tensor = tensors[name];
      if (!tensor) throw new WhittleError('the data set has nothing for an input', { value: name });
      return [name, tensor];
    }),
  );
}
