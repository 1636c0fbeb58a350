import { divExact, mulDims, sameDim } from '../../graph/dims.js';
import type { Dim, Shape } from '../../graph/value.js';
import { type Axis, isFree } from '../labels.js';
import { wrap } from './concat.js';
import { type DimRule, type PassContext, Refusal, type ShrinkContext } from './definition.js';
import { setEntries } from './shapes.js';

const UNFOLLOWED = 'a Reshape mixes it with other dimensions';

/**
 * Axes of a reshaped value. Runs of axes that hold the same elements before and after are taken apart into the factors
 * that both sides share: (heads · size) → (heads, size) has the factors heads and size.
 */
function reshape(c: PassContext, axes: readonly Axis[], from: Shape, to: Shape): Axis[] {
  const out: Axis[] = to.map(() => UNFOLLOWED);
  for (const run of matchRuns(from, to)) {
    const own = run.from.map(i => axes[i]!);
    const sizes = [...run.from.map(i => from[i]!), ...run.to.map(i => to[i]!)];
    const single = run.from.length === 1 && run.to.length === 1;
    if (single) out[run.to[0]!] = own[0]!;
    else if (!own.some(isFree)) {
      for (const i of run.to) out[i] = own.find(axis => !isFree(axis)) ?? UNFOLLOWED;
    } else {
      const factors = sizes.every(size => typeof size === 'number')
        ? sharedFactors(run, from, to)
        : undefined;
      if (!factors) c.fix(own, UNFOLLOWED);
      else {
        const parts = factors.from.flatMap((list, k) => c.split(own[k]!, list));
        let at = 0;
        factors.to.forEach((list, k) => {
          out[run.to[k]!] = c.product(parts.slice(at, at + list.length), list);
          at += list.length;
        });
      }
    }
  }
  const matched = new Set(matchRuns(from, to).flatMap(run => run.from));
  axes.forEach((axis, i) => {
    if (!matched.has(i)) c.fix(axis, UNFOLLOWED);
  });
  return out;
}

interface Run {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Shortest runs of axes of equal size, from the left and, where a size is unknown, from the right. */
function matchRuns(from: Shape, to: Shape): Run[] {
  const left = runsFromLeft(from, to);
  const a = from.length - left.reduce((sum, run) => sum + run.from.length, 0);
  const b = to.length - left.reduce((sum, run) => sum + run.to.length, 0);
  if (a === 0 && b === 0) return left;
  const mirrored = runsFromLeft(from.slice(from.length - a).reverse(), to.slice(to.length - b).reverse());
  const right = mirrored.map(run => ({
    from: run.from.map(i => from.length - 1 - i).reverse(),
    to: run.to.map(i => to.length - 1 - i).reverse(),
  }));
  // One size of each side that is left over must be the same: all others are.
  const rest = (length: number, used: readonly number[]) =>
    Array.from({ length }, (_, i) => i).filter(i => !used.includes(i));
  const runs = [...left, ...right.reverse()];
  const over = {
    from: rest(
      from.length,
      runs.flatMap(run => run.from),
    ),
    to: rest(
      to.length,
      runs.flatMap(run => run.to),
    ),
  };
  return over.from.length === 1 && over.to.length === 1 ? [...runs, over] : runs;
}

function runsFromLeft(from: Shape, to: Shape): Run[] {
  const runs: Run[] = [];
  let [i, j] = [0, 0];
  while (i < from.length && j < to.length) {
    const run = { from: [i], to: [j] };
    let a: Dim = from[i++]!;
    let b: Dim = to[j++]!;
    while (!sameDim(a, b)) {
      if (i < from.length && isLess(a, b)) {
        run.from.push(i);
        a = mulDims(a, from[i++]!);
      } else if (j < to.length && isLess(b, a)) {
        run.to.push(j);
        b = mulDims(b, to[j++]!);
      } else return runs;
    }
    runs.push(run);
  }
  // Axes of size 1 at the end belong to nothing.
  const last = runs.at(-1);
  if (last && from.slice(i).every(dim => dim === 1) && to.slice(j).every(dim => dim === 1)) {
    const more = (start: number, end: number) => Array.from({ length: end - start }, (_, k) => start + k);
    runs[runs.length - 1] = {
      from: [...last.from, ...more(i, from.length)],
      to: [...last.to, ...more(j, to.length)],
    };
  }
  return runs;
}

/** Whether a must be multiplied to become b. */
const isLess = (a: Dim, b: Dim): boolean =>
  a !== null &&
  b !== null &&
  (typeof a === 'number' && typeof b === 'number' ? a < b : divExact(b, a) !== null);

/** Factors of each axis such that both sides are the same list; `undefined` where sizes do not divide. */
function sharedFactors(run: Run, from: Shape, to: Shape): { from: number[][]; to: number[][] } | undefined {
  const a = run.from.map(i => from[i] as number);
  const b = run.to.map(i => to[i] as number);
  const factors = { from: a.map((): number[] => []), to: b.map((): number[] => []) };
  let [i, j] = [0, 0];
  let [x, y] = [a[0]!, b[0]!];
  while (i < a.length && j < b.length) {
    const factor = Math.min(x, y);
    if (x % factor !== 0 || y % factor !== 0) return undefined;
    factors.from[i]!.push(factor);
    factors.to[j]!.push(factor);
    x /= factor;
    y /= factor;
    // Sizes of 1 stand at any place: let the other side wait for them.
    if (x === 1) x = a[++i] ?? 0;
    if (y === 1) y = b[++j] ?? 0;
    while (x === 1 && y !== 1 && i < a.length) x = a[++i] ?? 0;
    while (y === 1 && x !== 1 && j < b.length) y = b[++j] ?? 0;
  }
  return factors;
}

const toNew: DimRule = {
  ops: ['Reshape'],
  pass: c => c.out(0, reshape(c, c.axes(0), c.shape(0), c.outputShape(0))),
  shrink(c) {
    const sizes = changedSizes(c);
    if (sizes.size === 0) return;
    if (c.opset < 5) {
      const shape = c.node.ints('shape', []).map((size, i) => sizes.get(i) ?? size);
      c.node.setAttribute('shape', shape);
    } else setEntries(c, 1, sizes);
  },
};

/** Sizes of the axes of the output that lost indices. */
function changedSizes(c: ShrinkContext): Map<number, number> {
  const sizes = new Map<number, number>();
  c.outputShape(0).forEach((_, axis) => {
    const kept = c.keptOutput(0, axis);
    if (kept) sizes.set(axis, kept.length);
  });
  return sizes;
}

const bySize: DimRule = {
  ops: ['Flatten'],
  pass: c => c.out(0, reshape(c, c.axes(0), c.shape(0), c.outputShape(0))),
};

const axesOf = (c: PassContext): number[] | undefined =>
  c.node.ints('axes') ?? (c.has(1) ? c.numbers(1) : undefined);

const squeeze: DimRule = {
  ops: ['Squeeze'],
  pass(c) {
    const shape = c.shape(0);
    const named = axesOf(c)?.map(axis => wrap(axis, shape.length));
    if (!named && (c.has(1) || shape.some(size => typeof size !== 'number'))) {
      throw new Refusal('which axes it removes is not known');
    }
    c.out(
      0,
      c.axes(0).filter((_, axis) => (named ? !named.includes(axis) : shape[axis] !== 1)),
    );
  },
};

const unsqueeze: DimRule = {
  ops: ['Unsqueeze'],
  pass(c) {
    const axes = axesOf(c);
    if (!axes) throw new Refusal('which axes it adds is not known');
    const rank = c.axes(0).length + axes.length;
    const added = new Set(axes.map(axis => wrap(axis, rank)));
    let next = 0;
    const out = Array.from({ length: rank }, (_, axis) =>
      added.has(axis) ? 'it has one index only' : c.axes(0)[next++]!,
    );
    c.out(0, out);
  },
};

const transpose: DimRule = {
  ops: ['Transpose'],
  pass(c) {
    const axes = c.axes(0);
    const perm = c.node.ints('perm') ?? axes.map((_, i) => axes.length - 1 - i);
    c.out(
      0,
      perm.map(axis => axes[axis]!),
    );
  },
};

/** (n, c · b², h, w) ↔ (n, c, b · h, b · w): places in a block stay. */
const blocks: DimRule = {
  ops: ['DepthToSpace', 'SpaceToDepth'],
  pass(c) {
    const x = c.axes(0);
    const channels = c.shape(0)[1];
    const block = c.node.int('blocksize', 1) ** 2;
    if (typeof channels !== 'number') throw new Refusal('its channels are not fixed');
    const reason = 'a place in a block of pixels';
    c.fix(x.slice(2), reason);
    const rest = x.slice(2).map(() => reason);
    if (c.node.opType === 'SpaceToDepth') {
      // Blocks first, then channels.
      return c.out(0, [x[0]!, c.product([reason, x[1]!], [block, channels]), ...rest]);
    }
    const rowsFirst = c.node.string('mode', 'DCR') === 'CRD';
    const sizes = rowsFirst ? [channels / block, block] : [block, channels / block];
    const factors = c.split(x[1]!, sizes);
    c.fix(factors[rowsFirst ? 1 : 0], reason);
    c.out(0, [x[0]!, factors[rowsFirst ? 0 : 1]!, ...rest]);
  },
};

export const RESHAPE = [toNew, bySize, squeeze, unsqueeze, transpose, blocks];
