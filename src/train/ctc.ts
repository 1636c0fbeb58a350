import { WhittleError } from '../graph/errors.js';
import type { Builder } from '../graph/ops/builder.js';
import type { Value } from '../graph/value.js';
import type { ReductionOptions } from './losses.js';

/** The logarithm of what cannot be: finite, so that differences of two such numbers are numbers. */
const IMPOSSIBLE = -1e30;

export interface CtcOptions extends ReductionOptions {
  /** The class that stands for no sign; default 0. */
  readonly blank?: number;
}

/**
 * Connectionist temporal classification: −ln of the probability that the classes of all steps, repeats merged and
 * blanks left out, spell the labels (Graves et al., ICML 2006, section 4.1). The steps are laid out one after the other
 * in the graph, so that their number must be known.
 * @param logits (batch, steps, classes)
 * @param labels (batch, length) int64, filled up with blanks behind. Labels that need more steps than there are, one for
 *   each and one between equal neighbours, have a loss of 1e30 or more.
 * @returns a scalar, the mean over the batch or the sum; or (batch) for `reduction: 'none'`. PyTorch's mean differs: it
 *   divides each loss by the number of its labels first.
 * @throws WhittleError where the number of steps is open
 */
export function ctcLoss(
  b: Builder,
  logits: Value,
  labels: Value,
  { blank = 0, reduction = 'mean' }: CtcOptions = {},
): Value {
  const steps = logits.shape?.[1];
  if (logits.shape?.length !== 3 || typeof steps !== 'number') {
    throw new WhittleError('CTC takes logits (batch, steps, classes) whose number of steps is known', {
      value: logits.name,
      hint: 'Give the sizes of the inputs that it follows from: sizes: { width: 320 }',
    });
  }
  const impossible = b.scalar(IMPOSSIBLE, logits.dtype);
  const possible = (condition: Value): Value =>
    b.unsqueeze(b.where(condition, b.scalar(0, logits.dtype), impossible), [1]); // (batch, 1, states)
  const { states, starts, skips, ends } = statesOf(b, labels, blank);

  const skip = possible(skips);
  const [first, ...others] = emissions(b, logits, b.unsqueeze(states, [1]), steps);
  let reached = b.add(first!, possible(starts));
  for (const emission of others) {
    const moved = (by: number): Value => padded(b, reached, [0, 0, by, 0, 0, -by], impossible);
    const ways = b.concat([reached, moved(1), b.add(moved(2), skip)], 1); // stay, next, over a blank
    reached = b.add(logSumExp(b, ways, 1), emission);
  }
  const losses = b.neg(b.squeeze(logSumExp(b, b.add(reached, possible(ends)), 2), [1, 2]));
  if (reduction === 'none') return losses;
  return b.op(reduction === 'mean' ? 'ReduceMean' : 'ReduceSum', [losses], { keepdims: 0 });
}

/** What can stand at a step: a label, or a blank before, between or behind labels. All (batch, 2·length + 1). */
interface States {
  /** The class of each. */
  readonly states: Value;
  /** Whether a line may begin with it. */
  readonly starts: Value;
  /** Whether it may follow the state two before: a label that differs from the one before. */
  readonly skips: Value;
  /** Whether a line may end with it: the last label, or the blank behind it. */
  readonly ends: Value;
}

function statesOf(b: Builder, labels: Value, blank: number): States {
  const fill = b.scalar(blank, 'int64');
  const one = b.scalar(1, 'int64');
  const isLabel = (x: Value): Value => b.op('Not', [b.binary('Equal', x, fill)]);
  const pairs = padded(b, b.unsqueeze(labels, [2]), [0, 0, 1, 0, 0, 0], fill); // a blank before each
  const states = padded(b, b.op('Reshape', [pairs, b.ints([0, -1])]), [0, 0, 0, 1], fill);
  const places = b.op('CumSum', [b.expandLike(one, states), one], { exclusive: 1 }); // 0, 1, …
  const twoBefore = padded(b, states, [0, 2, 0, -2], fill);
  const end = b.mul(b.sum(b.cast(isLabel(labels), 'int64'), [1], true), 2); // (batch, 1)
  return {
    states,
    starts: b.binary('Less', places, 2),
    skips: b.binary('And', isLabel(states), b.op('Not', [b.binary('Equal', states, twoBefore)])),
    ends: b.binary('Or', b.binary('Equal', places, end), b.binary('Equal', b.add(places, 1), end)),
  };
}

/** ln of each state's probability, step by step: (batch, 1, states) each. */
function emissions(b: Builder, logits: Value, states: Value, steps: number): Value[] {
  const each = b.op('Expand', [states, b.ints([1, steps, 1])]); // (batch, steps, states)
  const picked = b.op('GatherElements', [b.op('LogSoftmax', [logits], { axis: 2 }), each], { axis: 2 });
  if (steps === 1) return [picked];
  const sizes = b.ints(new Array<number>(steps).fill(1));
  return b.node('Split', [picked, sizes], { axis: 1 }, steps).outputs as Value[];
}

/** Over one axis, which stays with size 1. */
function logSumExp(b: Builder, x: Value, axis: number): Value {
  if (b.opset >= 18) return b.op('ReduceLogSumExp', [x, b.ints([axis])]);
  return b.op('ReduceLogSumExp', [x], { axes: [axis] });
}

/** Pads with a value; negative pads crop. */
const padded = (b: Builder, x: Value, pads: readonly number[], value: Value): Value =>
  b.op('Pad', [x, b.ints(pads), value]);
