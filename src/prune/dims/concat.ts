import { Tensor } from '../../graph/tensor.js';
import { type Axis, isFree } from '../labels.js';
import { type DimRule, type PassContext, Refusal } from './definition.js';
import { setEntries } from './shapes.js';

const concat: DimRule = {
  ops: ['Concat'],
  pass(c) {
    const inputs = c.node.inputs.map((_, i) => c.axes(i));
    const rank = inputs[0]!.length;
    const axis = wrap(c.node.int('axis', 1), rank);
    const out = inputs[0]!.map((first, at) =>
      at === axis
        ? c.concat(
            inputs.map(axes => axes[at]!),
            inputs.map((_, i) => c.shape(i)[at]!),
          )
        : inputs.slice(1).reduce((joined, axes) => c.join(joined, axes[at]!), first),
    );
    c.out(0, out);
  },
};

const split: DimRule = {
  ops: ['Split'],
  pass(c) {
    const x = c.axes(0);
    const axis = wrap(c.node.int('axis', 0), x.length);
    const own = x[axis]!;
    let start = 0;
    c.node.outputs.forEach((_, i) => {
      const size = c.outputShape(i)[axis];
      let part: Axis = own;
      if (isFree(own)) {
        if (typeof size !== 'number') throw new Refusal('the sizes of its parts are not fixed');
        part = piece(c, own, start, start + size);
        start += size;
      }
      c.out(
        i,
        x.map((other, at) => (at === axis ? part : other)),
      );
    });
  },
  shrink(c) {
    const axis = wrap(c.node.int('axis', 0), c.shape(0).length);
    if (!c.kept(0, axis)) return;
    const sizes = c.node.outputs.map((_, i) => c.leftOutput(i, axis));
    c.node.attributes.delete('num_outputs');
    if (c.opset < 13) c.node.setAttribute('split', sizes);
    else c.node.setInput(1, c.graph.constant(Tensor.int64(sizes), 'split'));
  },
};

const slice: DimRule = {
  ops: ['Slice'],
  pass(c) {
    const x = c.axes(0);
    const bounds = boundsOf(c, x.length);
    const out = x.map((own, axis): Axis => {
      if (!isFree(own)) return own;
      if (bounds === undefined) return whole(c, own, 'what a Slice takes is not known before the model runs');
      const bound = bounds.find(b => b.axis === axis);
      if (!bound) return own;
      if (bound.step !== 1) return whole(c, own, 'a Slice takes every other index of it');
      return piece(c, own, ...range(bound, own.length));
    });
    c.out(0, out);
  },
  shrink(c) {
    const shape = c.shape(0);
    const bounds = boundsOf(c, shape.length) ?? [];
    const starts = new Map<number, number>();
    const ends = new Map<number, number>();
    bounds.forEach((bound, i) => {
      const kept = c.kept(0, bound.axis);
      if (!kept) return;
      const [start, end] = range(bound, shape[bound.axis] as number);
      starts.set(i, kept.filter(index => index < start).length);
      ends.set(i, kept.filter(index => index < end).length);
    });
    if (starts.size === 0) return;
    if (c.opset < 10) {
      const patch = (name: string, values: ReadonlyMap<number, number>) =>
        c.node.setAttribute(
          name,
          c.node.ints(name, []).map((old, i) => values.get(i) ?? old),
        );
      patch('starts', starts);
      patch('ends', ends);
    } else {
      setEntries(c, 1, starts);
      setEntries(c, 2, ends);
    }
  },
};

interface Bound {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

function boundsOf(c: Pick<PassContext, 'node' | 'opset' | 'numbers'>, rank: number): Bound[] | undefined {
  const list = (name: string, input: number) => (c.opset < 10 ? c.node.ints(name) : c.numbers(input));
  const starts = list('starts', 1);
  const ends = list('ends', 2);
  const axes = list('axes', 3) ?? (c.node.inputs[3] ? undefined : starts?.map((_, i) => i));
  const steps = c.node.inputs[4] ? c.numbers(4) : starts?.map(() => 1);
  if (!starts || !ends || !axes || !steps) return undefined;
  return axes.map((axis, i) => ({
    axis: wrap(axis, rank),
    start: starts[i]!,
    end: ends[i]!,
    step: steps[i]!,
  }));
}

/** Bounds as ONNX reads them for step 1: negative ones from the end, all within the axis. */
const range = ({ start, end }: Bound, size: number): [number, number] => {
  const clamp = (at: number) => Math.min(size, Math.max(0, at < 0 ? at + size : at));
  return [clamp(start), clamp(end)];
};

/** Part of an axis; it must not become empty. */
function piece(c: PassContext, labels: Int32Array, start: number, end: number): Axis {
  const part = labels.subarray(start, end);
  return part.length > 1 ? part : whole(c, part, 'one index of it is taken alone');
}

function whole(c: PassContext, axis: Axis, reason: string): string {
  c.fix(axis, reason);
  return reason;
}

export const wrap = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

export const CONCAT = [concat, split, slice];
