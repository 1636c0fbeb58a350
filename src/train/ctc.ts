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
  const number = (x: number): Value => b.scalar(x, logits.dtype);
  const possible = (condition: Value): Value => b.where(condition, number(0), number(IMPOSSIBLE));

  // A state is a label or a blank before, between or behind labels: (batch, states), states = 2·length + 1.
  const pairs = padded(b, b.unsqueeze(labels, [2]), [0, 0, 1, 0, 0, 0], b.scalar(blank, 'int64'));
  const states = padded(b, b.op('Reshape', [pairs, b.ints([0, -1])]), [0, 0, 0, 1], b.scalar(blank, 'int64'));
  const places = b.op('CumSum', [b.expandLike(b.scalar(1, 'int64'), states), b.scalar(1, 'int64')], {
    exclusive: 1,
  });
  const notBlank = (x: Value): Value => b.op('Not', [b.binary('Equal', x, blank)]);
  const twoBefore = padded(b, states, [0, 2, 0, -2], b.scalar(blank, 'int64'));
  const skips = b.binary('And', notBlank(states), b.op('Not', [b.binary('Equal', states, twoBefore)]));
  const rows = (x: Value): Value => b.unsqueeze(x, [1]); // (batch, 1, states)
  const skip = rows(possible(skips));

  const emitted = emissions(b, logits, rows(states), steps);
  let reached = b.add(emitted[0]!, rows(possible(b.binary('Less', places, 2))));
  for (const emission of emitted.slice(1)) {
    const moved = (by: number): Value => padded(b, reached, [0, 0, by, 0, 0, -by], number(IMPOSSIBLE));
    const ways = b.concat([reached, moved(1), b.add(moved(2), skip)], 1); // stay, next, over a blank
    reached = b.add(logSumExp(b, ways), emission);
  }

  const count = b.sum(b.cast(notBlank(labels), 'int64'), [1], true);
  // The last label, and the blank behind it.
  const ends = b.binary('Equal', b.add(places, 1), b.mul(count, 2));
  const last = b.binary('Or', ends, b.binary('Equal', places, b.mul(count, 2)));
  const total = logSumExp(b, b.add(b.squeeze(reached, [1]), possible(last)));
  const losses = b.neg(b.squeeze(total, [1]));
  if (reduction === 'none') return losses;
  return b.op(reduction === 'mean' ? 'ReduceMean' : 'ReduceSum', [losses], { keepdims: 0 });
}

/** ln of each state's probability, step by step: (batch, 1, states) each. */
function emissions(b: Builder, logits: Value, states: Value, steps: number): Value[] {
  const each = b.op('Expand', [states, b.ints([1, steps, 1])]); // (batch, steps, states)
  const picked = b.op('GatherElements', [b.op('LogSoftmax', [logits], { axis: 2 }), each], { axis: 2 });
  if (steps === 1) return [picked];
  const sizes = b.ints(new Array<number>(steps).fill(1));
  return b.node('Split', [picked, sizes], { axis: 1 }, steps).outputs as Value[];
}

/** Over axis 1, which stays with size 1. */
function logSumExp(b: Builder, x: Value): Value {
  if (b.opset >= 18) return b.op('ReduceLogSumExp', [x, b.ints([1])]);
  return b.op('ReduceLogSumExp', [x], { axes: [1] });
}

/** Pads with a value; negative pads crop. */
const padded = (b: Builder, x: Value, pads: readonly number[], value: Value): Value =>
  b.op('Pad', [x, b.ints(pads), value]);
