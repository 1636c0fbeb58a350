import type { Sample } from '../../data/sample.js';
import { gradients, typedBuilder } from '../../graph/autodiff/index.js';
import { isFloat } from '../../graph/dtype.js';
import type { Model } from '../../graph/model.js';
import type { Builder } from '../../graph/ops/builder.js';
import { Tensor } from '../../graph/tensor.js';
import { tensorType, type Value } from '../../graph/value.js';
import { Random } from '../../random/random.js';
import { createSession, runSamples, type Session, type Tensors } from '../../runtime/index.js';
import { trainable } from '../../train/trainable.js';
import type { ChannelGroup, Groups } from '../groups.js';
import type { Label } from '../labels.js';
import { type Gate, gateChannels } from '../mask.js';
import type { RemovalCurve } from './curve.js';

/**
 * Importance by first-order sensitivity: with a gate of 1 on every channel, how far the outputs move to first order when
 * one gate closes. For a loss L that is |∂L/∂gate| = |Σ a·∂L/∂a| over the channel's activations a, the criterion of
 * Molchanov et al. Here L is the divergence from the model's own outputs, which needs no labels. At the model itself its
 * gradient is zero, and the least order that says anything is the square of the outputs' derivatives,
 * ‖∂y/∂gate‖² over the variance of y: the sum of squared gradients that the paper arrives at as well, and with
 * probabilities p, for which y = 2√p, the diagonal of the Fisher information. Channels count as independent.
 * @see P. Molchanov et al.: Importance Estimation for Neural Network Pruning, CVPR 2019, https://arxiv.org/abs/1906.10771
 */
export function taylorCurve(
  group: ChannelGroup,
  steps: readonly number[],
  scores: ReadonlyMap<Label, number>,
): RemovalCurve {
  const own = group.atoms.map(atom => scores.get(atom) ?? 0);
  const order = [...own.keys()].sort((a, b) => own[a]! - own[b]!);
  let gone = 0;
  let error = 0;
  const errors = steps.map(step => {
    while (gone < step) error += own[order[gone++]!]!;
    return error;
  });
  return { group, order, steps, errors };
}

export interface TaylorOptions {
  readonly threads?: number | undefined;
  readonly seed?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onSample?: (done: number) => void;
}

/**
 * What closing the gate of each channel does to the outputs: the mean over the samples of Σ (∂y/∂gate)², over the variance
 * of y. Instead of each output's derivative it takes that of their sum with random signs, whose square has the same
 * mean: one backward pass a sample. So are the examples of a batch told apart.
 * @throws WhittleError for an operator without a gradient
 */
export async function taylorScores(
  model: Model,
  groups: Groups,
  samples: readonly Sample[],
  { threads, seed = 0, signal, onSample }: TaylorOptions = {},
): Promise<Map<Label, number>> {
  const scales = outputScales(model, await runSamples(model, samples, threads));
  const sensitivity = await GateSensitivity.create(model, groups, threads);
  const random = new Random(seed, 'taylor');
  const scores = new Map<Label, number>();
  try {
    for (const [i, sample] of samples.entries()) {
      signal?.throwIfAborted();
      const signs = Object.fromEntries(
        [...scales].map(([name, scale]) => [name, signsOf(random, scale[i]!)]),
      );
      for (const [atom, derivative] of await sensitivity.along(sample, signs)) {
        scores.set(atom, (scores.get(atom) ?? 0) + derivative ** 2 / samples.length / scales.size);
      }
      onSample?.(i + 1);
    }
    return scores;
  } finally {
    await sensitivity.release();
  }
}

function signsOf(random: Random, { dims, scale }: OutputScale): Tensor {
  const size = dims.reduce((a, b) => a * b, 1);
  const signs = Float32Array.from({ length: size }, () => (random.uint32() & 1 ? scale : -scale));
  return Tensor.float32(dims, signs);
}

/** The derivative of a weighted sum of a model's outputs by the gate of each channel. */
export class GateSensitivity {
  private readonly session: Session;
  private readonly gates: readonly Gate[];
  private readonly feeds: Tensors;
  private readonly gradients: readonly string[];
  /** The input of the weights of each output. */
  private readonly weights: ReadonlyMap<string, string>;

  private constructor(
    session: Session,
    gates: readonly Gate[],
    feeds: Tensors,
    found: readonly string[],
    weights: ReadonlyMap<string, string>,
  ) {
    this.session = session;
    this.gates = gates;
    this.feeds = feeds;
    this.gradients = found;
    this.weights = weights;
  }

  /** @throws WhittleError for an operator without a gradient */
  static async create(model: Model, groups: Groups, threads?: number): Promise<GateSensitivity> {
    const gated = gateChannels(model, groups, () => 1, { idle: true });
    const names = new Map(gated.gates.map(gate => [gate.value.name, gate]));
    const opened = trainable(gated.model, ({ name }) => names.has(name));
    const { graph } = opened.model;
    const b = typedBuilder(opened.model);
    const weights = new Map<string, string>();
    const sums = graph.outputs.filter(isDifferentiable).map(output => {
      const weight = graph.addInput(`${output.name}_weights`, tensorType('float32', output.shape));
      weights.set(output.name, weight.name);
      return b.op('ReduceSum', [b.mul(comparable(b, output), weight)], { keepdims: 0 });
    });
    const parameters = [...opened.parameters];
    const found = gradients(
      opened.model,
      b.total(sums),
      parameters.map(([, { value }]) => value),
    );
    graph.outputs.length = 0;
    const fetched = found.map(gradient => graph.addOutput(gradient).name);
    graph.sort();
    const session = await createSession(opened.model, threads === undefined ? {} : { threads });
    return new GateSensitivity(
      session,
      parameters.map(([name]) => names.get(name)!),
      Object.fromEntries(parameters.map(([name, { tensor }]) => [name, tensor])),
      fetched,
      weights,
    );
  }

  /**
   * @param weights of each output's elements, by the output's name; of probabilities p it is those of 2√p
   * @returns the derivative by the gate of each atom
   */
  async along(sample: Sample, weights: Tensors): Promise<Map<Label, number>> {
    const given = [...this.weights].map(([output, input]) => [input, weights[output]!] as const);
    const results = await this.session.run({ ...sample, ...this.feeds, ...Object.fromEntries(given) });
    const sums = new Map<Label, number>();
    this.gates.forEach(({ atoms }, i) => {
      const gradient = results[this.gradients[i]!]!.toFloat32();
      atoms.forEach((own, index) => {
        for (const atom of own) sums.set(atom, (sums.get(atom) ?? 0) + gradient[index]!);
      });
    });
    return sums;
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

const isDifferentiable = ({ dtype }: Value): boolean => isFloat(dtype ?? 'float32');

const isProbability = (output: Value): boolean => output.producer?.opType === 'Softmax';

/** Distances between probabilities are those between their roots (half the squared distance of 2√p is KL to second order). */
const comparable = (b: Builder, output: Value): Value =>
  isProbability(output) ? b.mul(b.sqrt(b.binary('Max', output, 1e-12)), 2) : output;

interface OutputScale {
  readonly dims: readonly number[];
  /** What derivatives of its elements are multiplied by. */
  readonly scale: number;
}

/**
 * Of each float output, for each sample. Of probabilities squares are averaged over the rows, of other outputs over the
 * elements and against their variance.
 */
function outputScales({ graph }: Model, runs: readonly Tensors[]): Map<string, readonly OutputScale[]> {
  const scales = new Map<string, readonly OutputScale[]>();
  for (const output of graph.outputs.filter(isDifferentiable)) {
    const tensors = runs.map(outputs => outputs[output.name]!);
    const variance = isProbability(output) ? undefined : varianceOf(tensors);
    const share = ({ size, dims }: Tensor) =>
      variance === undefined ? (dims.at(-1) ?? 1) / size : 1 / (variance * size);
    scales.set(
      output.name,
      tensors.map(tensor => ({ dims: tensor.dims, scale: Math.sqrt(share(tensor)) })),
    );
  }
  return scales;
}

function varianceOf(tensors: readonly Tensor[]): number {
  let [sum, squares, count] = [0, 0, 0];
  for (const tensor of tensors) {
    for (const value of tensor.toFloat32()) {
      sum += value;
      squares += value * value;
      count++;
    }
  }
  return Math.max((squares - sum ** 2 / count) / count, 1e-30);
}
