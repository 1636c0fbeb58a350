import { isFloat } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { Builder } from '../graph/ops/builder.js';
import type { Value } from '../graph/value.js';

/** How the losses of single examples become one: their mean, their sum, or not at all. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface ReductionOptions {
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

export interface CrossEntropyOptions extends ReductionOptions {
  /** The axis of the logits that holds the classes; default the last. */
  readonly axis?: number;
  /**
   * Share of the target that is spread evenly over all classes, default 0 (Szegedy et al., 2016,
   * https://arxiv.org/abs/1512.00567, section 7).
   */
  readonly labelSmoothing?: number;
  /** Examples of this label do not count, not even in the mean; with class indices only. */
  readonly ignoreIndex?: number;
}

/**
 * Softmax cross-entropy of logits (…, classes).
 *
 * Targets are class indices (…), int64 or int32, or probabilities (…, classes), as mixing and distillation make them.
 * A label outside of the classes stops the run on the CPU. Where every example is ignored the mean is 0.
 * @returns a scalar, or (…) for `reduction: 'none'`
 * @throws WhittleError where the rank or dtype of the targets does not fit
 */
export function crossEntropy(
  b: Builder,
  logits: Value,
  targets: Value,
  { axis = -1, labelSmoothing = 0, ignoreIndex, reduction = 'mean' }: CrossEntropyOptions = {},
): Value {
  const rank = rankOf(logits);
  const classes = axis < 0 ? axis + rank : axis;
  if (labelSmoothing < 0 || labelSmoothing > 1) {
    throw new WhittleError(`label smoothing is a share between 0 and 1, not ${labelSmoothing}`);
  }
  const logProbabilities = b.op('LogSoftmax', [logits], { axis: classes });
  const smoothed = (loss: Value): Value => {
    if (labelSmoothing === 0) return loss;
    const even = b.squeeze(b.mean(logProbabilities, [classes]), [classes]);
    return b.sub(b.mul(loss, 1 - labelSmoothing), b.mul(even, labelSmoothing));
  };
  if (isFloat(targets.dtype)) {
    if (ignoreIndex !== undefined)
      throw new WhittleError('only class indices can be ignored, not probabilities');
    const expected = b.sum(b.mul(targets, logProbabilities), [classes]);
    return reduced(b, smoothed(b.neg(expected)), reduction);
  }
  if (targets.shape && targets.shape.length !== rank - 1) {
    throw new WhittleError(`labels of rank ${targets.shape.length} do not fit logits of rank ${rank}`, {
      value: targets.name,
      hint: 'They have the shape of the logits without the axis of the classes',
    });
  }
  const counts =
    ignoreIndex === undefined ? undefined : b.op('Not', [b.binary('Equal', targets, ignoreIndex)]);
  const labels = counts ? b.where(counts, targets, 0) : targets;
  // Negative indices would count from the end: make them fail instead.
  const strict = b.where(b.binary('Less', labels, 0), 2 ** 31 - 1, labels);
  const picked = b.op('GatherElements', [logProbabilities, b.unsqueeze(strict, [classes])], {
    axis: classes,
  });
  const losses = smoothed(b.neg(b.squeeze(picked, [classes])));
  if (!counts) return reduced(b, losses, reduction);
  const counted = b.where(counts, losses, 0);
  if (reduction !== 'mean') return reduced(b, counted, reduction);
  const count = reduced(b, b.indicator(counts, logits.dtype), 'sum');
  return b.div(reduced(b, counted, 'sum'), b.binary('Max', count, 1));
}

/** Mean squared error: the mean of (prediction − target)². */
export function meanSquaredError(
  b: Builder,
  prediction: Value,
  target: Value,
  { reduction = 'mean' }: ReductionOptions = {},
): Value {
  return reduced(b, b.square(b.sub(prediction, target)), reduction);
}

export interface AxisOptions extends ReductionOptions {
  /** Default the last. */
  readonly axis?: number;
}

/** 1 − cos of the angle between vectors along an axis; a vector of zeros counts as orthogonal. */
export function cosineDistance(
  b: Builder,
  x: Value,
  y: Value,
  { axis = -1, reduction = 'mean' }: AxisOptions = {},
): Value {
  const along = axis < 0 ? axis + rankOf(x) : axis;
  const product = b.sum(b.mul(x, y), [along]);
  const squares = b.mul(b.sum(b.square(x), [along]), b.sum(b.square(y), [along]));
  const cosine = b.div(product, b.sqrt(b.binary('Max', squares, 1e-16)));
  return reduced(b, b.sub(1, cosine), reduction);
}

export interface DivergenceOptions extends AxisOptions {
  /** Divides both logits; default 1. */
  readonly temperature?: number;
}

/**
 * Kullback–Leibler divergence of the softmax of `logits` from that of `teacher`, T²·Σ p·(ln p − ln q), for
 * distillation (Hinton, Vinyals and Dean, 2015, https://arxiv.org/abs/1503.02531). T² keeps gradients of one size
 * over temperatures.
 */
export function klDivergence(
  b: Builder,
  logits: Value,
  teacher: Value,
  { axis = -1, temperature = 1, reduction = 'mean' }: DivergenceOptions = {},
): Value {
  const along = axis < 0 ? axis + rankOf(logits) : axis;
  const logOf = (x: Value): Value =>
    b.op('LogSoftmax', [temperature === 1 ? x : b.mul(x, 1 / temperature)], { axis: along });
  const target = logOf(teacher);
  const divergence = b.sum(b.mul(b.exp(target), b.sub(target, logOf(logits))), [along]);
  return reduced(b, b.mul(divergence, temperature ** 2), reduction);
}

function reduced(b: Builder, losses: Value, reduction: Reduction): Value {
  if (reduction === 'none') return losses;
  return b.op(reduction === 'mean' ? 'ReduceMean' : 'ReduceSum', [losses], { keepdims: 0 });
}

function rankOf(x: Value): number {
  if (x.shape) return x.shape.length;
  throw new WhittleError('the rank of the logits is not known', {
    value: x.name,
    hint: "Declare the shapes of the model's inputs",
  });
}

/**
 * What a softmax over the last axis reads, where the value is one, else the value: classifiers from files often end with
 * it, and losses and temperatures want scores. Logarithms of probabilities are scores already.
 */
export function beforeSoftmax(scores: Value): Value {
  const { producer, shape } = scores;
  if (producer?.opType !== 'Softmax' || producer.domain !== '') return scores;
  const axis = producer.int('axis', -1);
  return axis === -1 || axis + 1 === shape?.length ? producer.inputs[0]! : scores;
}
