import { cloneModel } from '../graph/clone.js';
import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { inlineFunctions, insertAfter, removeDead } from '../graph/rewrite/index.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import { createSession, type Session, type Tensors } from '../runtime/index.js';

export interface UnfoldOptions {
  /**
   * Which convolutions get a BatchNormalization, with or without a bias. Default: those that look as if one had been
   * folded into them (`looksFolded`), where they compute more than one position an image.
   */
  readonly select?: (convolution: Node) => boolean;
  /** Of ONNX Runtime, while it measures. */
  readonly threads?: number;
}

/** What stands after a layer that is normalized. After the last layer of a head stand others, such as Reshape. */
const FOLLOWERS: ReadonlySet<string> = new Set([
  ...['Relu', 'LeakyRelu', 'PRelu', 'Clip', 'Elu', 'Selu', 'Gelu', 'Mish', 'Tanh', 'Sigmoid', 'Softplus'],
  ...['HardSigmoid', 'HardSwish', 'Swish', 'Add', 'Sum', 'Mul', 'Concat', 'Conv', 'Dropout'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool'],
]);

/**
 * Whether a convolution looks as if a BatchNormalization had been folded into it: it has a bias, and what reads its
 * output are activations, sums, further convolutions or pooling.
 */
export const looksFolded = ({ inputs, output }: Node): boolean =>
  Graph.constantOf(inputs[2]) !== undefined && output.consumers.every(({ opType }) => FOLLOWERS.has(opType));

/** Added to variances, as most exporters have it. */
const EPSILON = 1e-5;

/**
 * Undoes the folding of BatchNormalization into convolutions: a copy of a model from a file in which they are followed
 * by one that changes nothing, with scale √(σ² + ε), shift μ and running statistics μ and σ² for the mean μ and the
 * variance σ² of each output channel on the given batches. The scale and shift of before cannot be known; these compute
 * the same function. `trainable` with `batchNormalization: 'batch'` trains the copy with the statistics of the batch,
 * and `exportTrained` folds them in again.
 *
 * ```ts
 * const open = await unfoldBatchNorm(await loadModel('resnet.onnx'), batches);
 * const network = importedNetwork(trainable(open, isWeight, { batchNormalization: 'batch' }));
 * ```
 * @param batches a few batches of what the model will be trained on, by the names of its inputs; other names, such as
 *   labels, are left aside
 * @throws WhittleError where no convolution is chosen, no batch given, or an activation is NaN or infinite
 */
export async function unfoldBatchNorm(
  model: Model,
  batches: readonly Tensors[],
  { select = looksFolded, threads }: UnfoldOptions = {},
): Promise<Model> {
  const copy = cloneModel(model);
  inlineFunctions(copy);
  const chosen = [...copy.graph.nodes].filter(node => canFollow(node) && select(node));
  const place = model.path === undefined ? {} : { file: model.path };
  if (batches.length === 0) {
    throw new WhittleError('statistics need at least one batch', {
      ...place,
      hint: 'Give a few batches of the data that the model will be trained on',
    });
  }
  const statistics = await measure(copy, chosen, batches, threads);
  let inserted = 0;
  for (const [convolution, measured] of statistics) {
    // One position an image is what gates have (squeeze and excite): nobody normalizes those.
    if (select === looksFolded && measured.onePosition) continue;
    insert(copy.graph, convolution, measured);
    inserted++;
  }
  if (inserted > 0) {
    removeDead(copy.graph); // biases that nothing adds any more
    return copy;
  }
  throw new WhittleError('no convolution of the model can have had a BatchNormalization folded into it', {
    ...place,
    hint: 'Those with a bias, followed by an activation, a sum, pooling or a convolution count; choose others with select',
  });
}

/** Whether BatchNormalization can be put behind a node and be folded in again. */
function canFollow(node: Node): boolean {
  if (node.opType !== 'Conv' || node.domain !== '') return false;
  const weight = Graph.constantOf(node.inputs[1]);
  const bias = node.inputs[2];
  return (
    weight?.dtype === 'float32' &&
    (!bias || Graph.constantOf(bias)?.size === weight.dims[0]) &&
    !node.graph!.isOutput(node.output) &&
    !node.output.consumers.some(({ opType }) => opType === 'BatchNormalization')
  );
}

/** Mean and variance of each channel over all examples and positions so far, in float64. */
class ChannelStatistics {
  readonly mean: Float64Array;
  /** Sum of squared distances from the mean. */
  private readonly spread: Float64Array;
  private count = 0;
  onePosition = true;

  constructor(channels: number) {
    this.mean = new Float64Array(channels);
    this.spread = new Float64Array(channels);
  }

  get variance(): Float64Array {
    return this.spread.map(sum => sum / this.count);
  }

  /**
   * Adds images, each by its own means and variances (Chan, Golub & LeVeque 1983).
   * @param means (images, channels)
   * @param variances (images, channels)
   */
  add(means: Float32Array, variances: Float32Array, positions: number): void {
    const channels = this.mean.length;
    this.onePosition &&= positions === 1;
    for (let at = 0; at < means.length; at += channels) {
      const total = this.count + positions;
      for (let c = 0; c < channels; c++) {
        const distance = means[at + c]! - this.mean[c]!;
        this.mean[c]! += (distance * positions) / total;
        this.spread[c]! += positions * variances[at + c]! + (distance ** 2 * this.count * positions) / total;
      }
      this.count = total;
    }
  }
}

/** Runs the batches; ONNX Runtime averages over positions, so that activations never pass through JavaScript. */
async function measure(
  model: Model,
  convolutions: readonly Node[],
  batches: readonly Tensors[],
  threads: number | undefined,
): Promise<Map<Node, ChannelStatistics>> {
  if (convolutions.length === 0) return new Map();
  const copies = new Map<Value, Value>();
  const copy = cloneModel(model, copies);
  const { graph } = copy;
  graph.outputs.length = 0;
  const taps = convolutions.map(node => {
    const x = copies.get(node.output)!;
    const mean = graph.op('GlobalAveragePool', [x]); // (images, channels, 1, …)
    const centred = graph.op('Sub', [x, mean]);
    const variance = graph.op('GlobalAveragePool', [graph.op('Mul', [centred, centred])]);
    const [means, variances, size] = [mean, variance, graph.op('Size', [x])].map(
      value => graph.addOutput(value).name,
    ) as [string, string, string];
    const channels = Graph.constantOf(node.inputs[1])!.dims[0]!;
    return { node, means, variances, size, statistics: new ChannelStatistics(channels) };
  });
  removeDead(graph);
  const session = await createSession(copy, threads === undefined ? {} : { threads });
  try {
    for (const batch of batches) {
      const results = await session.run(fedOf(session, batch));
      for (const { node, means, variances, size, statistics } of taps) {
        const [m, v] = [results[means]!.toFloat32(), results[variances]!.toFloat32()];
        if (![...m, ...v].every(Number.isFinite)) {
          throw new WhittleError('an activation is NaN or infinite', {
            node: node.label,
            value: node.output.name,
            hint: 'Check the range of the batches, and run the model on them in ONNX Runtime',
          });
        }
        statistics.add(m, v, results[size]!.toNumbers()[0]! / m.length);
      }
    }
  } finally {
    await session.release();
  }
  return new Map(taps.map(({ node, statistics }) => [node, statistics]));
}

/** What the session asks for and the batch has; the session says what is missing. */
const fedOf = ({ inputs }: Session, batch: Tensors): Tensors =>
  Object.fromEntries(inputs.flatMap(({ name }) => (batch[name] ? [[name, batch[name]]] : [])));

/** Puts a BatchNormalization behind a convolution, whose bias moves into it. */
function insert(graph: Graph, convolution: Node, { mean, variance }: ChannelStatistics): void {
  const weight = convolution.inputs[1]!;
  const bias = Graph.constantOf(convolution.inputs[2])?.toFloat64();
  const path = weight.name.replace(/\.weight$/, '');
  const constant = (name: string, numbers: Float64Array): Value =>
    graph.constant(Tensor.fromNumbers('float32', [numbers.length], numbers), `${path}.norm.${name}`);
  const parameters = [
    constant(
      'weight',
      variance.map(v => Math.sqrt(v + EPSILON)),
    ),
    constant('bias', mean),
    constant(
      'running_mean',
      mean.map((m, c) => m - (bias?.[c] ?? 0)),
    ),
    constant('running_var', variance),
  ];
  convolution.setInputs(convolution.inputs.slice(0, 2));
  insertAfter(graph, convolution.output, x => {
    const name = graph.freshName(`${convolution.label}/norm`);
    return graph.op('BatchNormalization', [x, ...parameters], { epsilon: EPSILON }, { name });
  });
}
