import { wrap } from './concat.js';
import { type DimRule, Refusal } from './definition.js';
import { setEntries } from './shapes.js';

const REPEATS = 'it is repeated';

const expand: DimRule = {
  ops: ['Expand'],
  pass(c) {
    const axes = c.axes(0);
    const shape = c.shape(0);
    const to = c.outputShape(0);
    if (typeof c.shape(1)[0] !== 'number') throw new Refusal('the shape that it expands to is not known');
    const shift = to.length - shape.length;
    const out = to.map((_, axis) =>
      axis >= shift && shape[axis - shift] !== 1 ? axes[axis - shift]! : REPEATS,
    );
    c.out(0, out);
  },
  shrink(c) {
    const shift = c.outputShape(0).length - (c.shape(1)[0] as number);
    const sizes = new Map<number, number>();
    c.outputShape(0).forEach((_, axis) => {
      const kept = c.keptOutput(0, axis);
      if (kept && axis >= shift) sizes.set(axis - shift, kept.length);
    });
    setEntries(c, 1, sizes);
  },
};

const tile: DimRule = {
  ops: ['Tile'],
  pass(c) {
    const repeats = c.numbers(1);
    const out = c.axes(0).map((axis, i) => {
      if (repeats?.[i] === 1) return axis;
      c.fix(axis, REPEATS);
      return REPEATS;
    });
    c.out(0, out);
  },
};

const pad: DimRule = {
  ops: ['Pad'],
  pass(c) {
    const x = c.axes(0);
    const pads = c.opset < 11 ? (c.node.ints('pads') ?? c.node.ints('paddings')) : c.numbers(1);
    const named = c.has(3) ? c.numbers(3)?.map(axis => wrap(axis, x.length)) : x.map((_, i) => i);
    const out = x.map((axis, i) => {
      const at = named?.indexOf(i) ?? -1;
      const padded = !pads || !named || (at >= 0 && (pads[at] !== 0 || pads[at + named.length] !== 0));
      if (!padded) return axis;
      c.fix(axis, PADDED);
      return PADDED;
    });
    c.out(0, out);
  },
};

const PADDED = 'it is padded';

/** A table's rows stay; what they hold is followed. */
const gather: DimRule = {
  ops: ['Gather'],
  pass(c) {
    const x = c.axes(0);
    const axis = wrap(c.node.int('axis', 0), x.length);
    const reason = 'a Gather picks from it';
    c.fix(x[axis], reason);
    c.out(0, [...x.slice(0, axis), ...c.axes(1).map(() => reason), ...x.slice(axis + 1)]);
  },
};

export const EXPAND = [expand, tile, pad, gather];
