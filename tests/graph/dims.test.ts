import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addDims,
  ceilDiv,
  divExact,
  floorDiv,
  mulDims,
  sameDim,
  subDims,
  substitute,
} from '../../src/graph/dims.js';
import type { Dim } from '../../src/graph/value.js';

const SIZES = new Map([
  ['batch', 3],
  ['p2o.DynamicDimension.0', 17],
  ['seq-len', 29],
]);

/** A random sum of products with quotients, computed twice: with names and with numbers. */
const { expression } = fc.letrec<{ expression: { dim: Dim; value: number } }>(tie => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...SIZES.keys()).map(name => ({ dim: name, value: SIZES.get(name)! })),
    fc.integer({ min: 0, max: 20 }).map(n => ({ dim: n, value: n })),
    fc
      .tuple(tie('expression'), tie('expression'))
      .map(([a, b]) => ({ dim: addDims(a.dim, b.dim), value: a.value + b.value })),
    fc
      .tuple(tie('expression'), tie('expression'))
      .map(([a, b]) => ({ dim: subDims(a.dim, b.dim), value: a.value - b.value })),
    fc
      .tuple(tie('expression'), tie('expression'))
      .map(([a, b]) => ({ dim: mulDims(a.dim, b.dim), value: a.value * b.value })),
    fc
      .tuple(tie('expression'), fc.integer({ min: 1, max: 6 }))
      .map(([a, n]) => ({ dim: floorDiv(a.dim, n), value: Math.floor(a.value / n) })),
    fc
      .tuple(tie('expression'), fc.integer({ min: 1, max: 6 }))
      .map(([a, n]) => ({ dim: ceilDiv(a.dim, n), value: Math.ceil(a.value / n) })),
  ),
}));

describe('dimension arithmetic', () => {
  it('gives what the numbers give, or says that it does not know', () => {
    let known = 0;
    fc.assert(
      fc.property(expression, ({ dim, value }) => {
        if (dim === null) return;
        known++;
        // + 0: JavaScript has a negative zero, sizes do not.
        expect(Number(substitute(dim, SIZES)) + 0).toBe(value + 0);
      }),
      { numRuns: 500 },
    );
    expect(known).toBeGreaterThan(400);
  });

  it('is canonical: order and grouping do not matter', () => {
    fc.assert(
      fc.property(expression, expression, expression, (a, b, c) => {
        const left = mulDims(addDims(a.dim, b.dim), c.dim);
        const right = addDims(mulDims(c.dim, b.dim), mulDims(a.dim, c.dim));
        if (left !== null && right !== null) expect(left).toBe(right);
        const back = subDims(addDims(a.dim, b.dim), b.dim);
        if (a.dim !== null && back !== null) expect(sameDim(back, a.dim)).toBe(true);
      }),
    );
  });

  it('divides exactly or not at all', () => {
    expect(divExact(mulDims(12, mulDims('batch', 'seq')), mulDims('seq', 4))).toBe('3*batch');
    expect(divExact('batch', 2)).toBeNull();
    expect(divExact(addDims(mulDims('a', 'b'), 'a'), 'a')).toBe('b + 1');
    expect(divExact(7, 2)).toBeNull();
  });

  it('collapses the floors of repeated halving', () => {
    const half = (dim: Dim): Dim => addDims(floorDiv(addDims(dim, -1), 2), 1);
    expect(half('w')).toBe('floor((w + 1)/2)');
    expect(half(half(half('w')))).toBe('floor((w + 7)/8)');
  });

  it('reads what exporters write', () => {
    expect(addDims('past_sequence_length + 1', 2)).toBe('past_sequence_length + 3');
    expect(sameDim('past + 1', addDims(1, 'past'))).toBe(true);
    // A name that is no expression is one name.
    expect(addDims('batch size', 0)).toBe('batch size');
    expect(addDims('unk__12', 'unk__12')).toBe('2*unk__12');
  });

  it('gives up on what would be too long', () => {
    let dim: Dim = 'a';
    for (let i = 0; i < 60 && dim !== null; i++) dim = addDims(dim, `name_number_${i}`);
    expect(dim).toBeNull();
  });
});
