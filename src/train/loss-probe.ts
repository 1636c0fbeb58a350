import type { Batch } from '../datasets/dataset.js';
import { gradients, typedBuilder } from '../graph/autodiff/index.js';
import type { Builder } from '../graph/ops/builder.js';
import { removeDead } from '../graph/rewrite/dead.js';
import { Tensor } from '../graph/tensor.js';
import { tensorType, type Value } from '../graph/value.js';
import { cloneNetwork } from '../nn/clone.js';
import { seedDropout } from '../nn/seed-dropout.js';
import { createSession } from '../runtime/create.js';
import type { Session } from '../runtime/session.js';
import { beforeSoftmax } from './losses.js';
import type { TrainingRun } from './method.js';
import { addOutput, StepContext } from './step/context.js';
import { batchSizes, fixSizes, withoutBatch } from './step/sizes.js';

/** Scores divided by a temperature; of a softmax, one of scores that are. */
function softened(b: Builder, output: Value, temperature: number): Value {
  const scores = beforeSoftmax(output);
  const divided = b.mul(scores, 1 / temperature);
  return scores === output ? divided : b.op('Softmax', [divided], { axis: -1 });
}

/** What a probe's outputs are built from. */
export interface ProbeContext {
  readonly b: Builder;
  readonly loss: Value;
  /** A parameter, by name. */
  value(parameter: string): Value;
  /** Gradients of a scalar of the graph, in the order of `parameters`; to be differentiated again where needed. */
  gradients(of: Value, parameters: readonly string[]): readonly Value[];
  /** A further input, of a parameter's shape. */
  input(name: string, like: string): Value;
}

export interface ProbeOptions {
  /** What the scores in the network's real-valued outputs are divided by; default 1. */
  readonly temperature?: number;
}

/**
 * The network of a training and its loss as a graph of its own, for what a method wants to know besides the step:
 * scores of weights before the first step, Hessian-vector products. Weights are those of the moment in which the probe
 * is made; nothing that it does changes the training. Dropout drops the same at each run.
 */
export class LossProbe {
  private readonly session: Session;
  private readonly outputs: readonly string[];

  private constructor(session: Session, outputs: readonly string[]) {
    this.session = session;
    this.outputs = outputs;
  }

  /** @param build makes the outputs, by name, from the loss */
  static async create(
    run: TrainingRun,
    build: (context: ProbeContext) => Readonly<Record<string, Value>>,
    { temperature = 1 }: ProbeOptions = {},
  ): Promise<LossProbe> {
    const network = cloneNetwork(run.network);
    for (const name of run.names) if (network.parameters.has(name)) network.setTensor(name, run.read(name));
    const { graph } = network;
    // Losses over sequences need to know how long those are.
    fixSizes(graph, withoutBatch(network, batchSizes(network, run.data, 1)));
    const model = network.toModel();
    seedDropout(graph, graph.constant(new Tensor('uint32', [], new Uint8Array(4)), 'dropout_seed'));
    const b = typedBuilder(model);
    b.scope = 'loss/';
    const outputs = new Map(
      network.outputs.map(output => {
        const divides = temperature !== 1 && output.dtype === 'float32';
        return [output.name, divides ? softened(b, output, temperature) : output];
      }),
    );
    const unattached = { inputs: new Map(), values: new Map<string, Value>() };
    // As in evaluation: labels as the data set has them, without smoothing or mixup.
    const context = new StepContext(b, network, false, unattached, name => network.tensor(name), outputs);
    const { loss } = run.objective.build(context);
    const value = (parameter: string): Value => network.parameter(parameter).value;
    const found = build({
      b,
      loss,
      value,
      gradients: (of, parameters) => gradients(model, of, parameters.map(value), { vjps: run.gradientRules }),
      input: (name, like) => graph.addInput(name, tensorType('float32', network.parameter(like).dims)),
    });
    graph.outputs.length = 0;
    const names = Object.entries(found).map(([name, result]) => addOutput(context, result, name));
    removeDead(graph);
    graph.sort();
    return new LossProbe(await createSession(model, { threads: 1 }), names);
  }

  /** @param further values of further inputs, by name */
  run(batch: Batch, further: Batch = {}): Promise<Record<string, Tensor>> {
    const feeds: Record<string, Tensor> = {};
    for (const { name } of this.session.inputs) feeds[name] = further[name] ?? batch[name]!;
    return this.session.run(feeds, this.outputs);
  }

  release(): Promise<void> {
    return this.session.release();
  }
}
