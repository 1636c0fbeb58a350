import { isFree } from '../labels.js';
import { wrap } from './concat.js';
import { type DimRule, type PassContext, Refusal } from './definition.js';
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

/** Channels that are all padding, as in the shortcuts of narrow ResNets, may go like others. */
const pad: DimRule = {
  ops: ['Pad'],
  pass(c) {
    const constant = c.node.string('mode', 'constant') === 'constant';
    const out = c.axes(0).map((axis, i) => {
      const [before, after] = padsOf(c, i, c.axes(0).length) ?? [-1, -1];
      if (before === 0 && after === 0) return axis;
      if (constant && i === 1 && isFree(axis) && before >= 0 && after >= 0) {
        const parts = [c.fresh(before), axis, c.fresh(after)];
        const sizes = [before, axis.length, after];
        return c.concat(
          parts.filter((_, k) => sizes[k] !== 0),
          sizes.filter(size => size !== 0),
        );
      }
      c.fix(axis, PADDED);
      return PADDED;
    });
    c.out(0, out);
  },
  shrink(c) {
    const kept = c.keptOutput(0, 1);
    if (!kept) return;
    const rank = c.shape(0).length;
    const [before, after] = padsOf(c, 1, rank)!;
    if (before === 0 && after === 0) return;
    const end = before + (c.shape(0)[1] as number);
    const at = axesOf(c, rank)!.indexOf(1);
    const half = axesOf(c, rank)!.length;
    const sizes = new Map([
      [at, kept.filter(index => index < before).length],
      [at + half, kept.filter(index => index >= end).length],
    ]);
    if (c.opset >= 11) return setEntries(c, 1, sizes);
    const name = c.opset < 2 ? 'paddings' : 'pads';
    c.node.setAttribute(
      name,
      c.node.ints(name, []).map((old, i) => sizes.get(i) ?? old),
    );
  },
};

type PadNode = Pick<PassContext, 'node' | 'opset' | 'numbers'>;

/** The axes that are padded; `undefined` where they are not known. */
const axesOf = (c: PadNode, rank: number): number[] | undefined =>
  c.node.inputs[3] ? c.numbers(3)?.map(axis => wrap(axis, rank)) : Array.from({ length: rank }, (_, i) => i);

/** What is put before and behind an axis. */
function padsOf(c: PadNode, axis: number, rank: number): [number, number] | undefined {
  const pads = c.opset < 11 ? (c.node.ints('pads') ?? c.node.ints('paddings')) : c.numbers(1);
  const axes = axesOf(c, rank);
  if (!pads || !axes) return undefined;
  const at = axes.indexOf(axis);
  return at < 0 ? [0, 0] : [pads[at]!, pads[at + axes.length]!];
}

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
