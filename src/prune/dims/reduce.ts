import { wrap } from './concat.js';
import { type DimRule, type PassContext, Refusal } from './definition.js';

/** Reductions in which a zero counts for nothing. */
const SUMS = new Set(['ReduceSum', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare']);

const reduce: DimRule = {
  ops: [...SUMS, 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceLogSum', 'ReduceLogSumExp'],
  pass(c) {
    const x = c.axes(0);
    const given = c.node.ints('axes') ?? (c.has(1) ? c.numbers(1) : []);
    if (!given) throw new Refusal('which axes it reduces is not known');
    const none = given.length === 0 && c.node.int('noop_with_empty_axes', 0) === 1;
    const reduced = new Set(
      none ? [] : given.length > 0 ? given.map(axis => wrap(axis, x.length)) : x.keys(),
    );
    const keep = c.node.int('keepdims', 1) === 1;
    for (const axis of reduced) {
      if (SUMS.has(c.node.opType)) c.contract(0, axis);
      else if (c.node.opType === 'ReduceMean') c.approximate(x[axis]!, 'a mean is taken over it');
      else c.fix(x[axis], `${c.node.opType} is taken over it`);
    }
    c.out(
      0,
      x.flatMap((axis, i) => (!reduced.has(i) ? [axis] : keep ? ['it has one index only'] : [])),
    );
  },
};

const overAxis = (c: PassContext, fallback: number, reason: string, andAfter = false): void => {
  const x = c.axes(0);
  const axis = wrap(c.node.int('axis', fallback), x.length);
  const touched = x.map((own, i) => {
    if (i !== axis && !(andAfter && i > axis)) return own;
    c.fix(own, reason);
    return reason;
  });
  c.node.outputs.forEach((_, i) => {
    c.out(i, touched);
  });
};

const softmax: DimRule = {
  ops: ['Softmax', 'LogSoftmax', 'Hardmax'],
  // Up to opset 12 all axes from `axis` on are one.
  pass: c => overAxis(c, c.opset < 13 ? 1 : -1, 'a softmax is taken over it', c.opset < 13),
};

const arg: DimRule = {
  ops: ['ArgMax', 'ArgMin'],
  pass(c) {
    const x = c.axes(0);
    const axis = wrap(c.node.int('axis', 0), x.length);
    const reason = 'its indices are the result';
    c.fix(x[axis], reason);
    const keep = c.node.int('keepdims', 1) === 1;
    c.out(
      0,
      x.flatMap((own, i) => (i !== axis ? [own] : keep ? [reason] : [])),
    );
  },
};

const cumulative: DimRule = {
  ops: ['CumSum'],
  pass(c) {
    const axis = c.numbers(1)?.[0];
    if (axis === undefined) throw new Refusal('its axis is not known');
    const x = [...c.axes(0)];
    const at = wrap(axis, x.length);
    c.fix(x[at], 'it is summed in order');
    c.out(0, x);
  },
};

export const REDUCE = [reduce, softmax, arg, cumulative];
