import type { Axis } from '../labels.js';
import { type DimRule, Refusal } from './definition.js';
import { broadcast, operand } from './elementwise.js';

const matmul: DimRule = {
  ops: ['MatMul'],
  pass(c) {
    const a = c.axes(0);
    const b = c.axes(1);
    c.join(a.at(-1)!, b.length === 1 ? b[0]! : b.at(-2)!);
    c.contract(0, a.length - 1);
    // The last two axes are the matrix; those before are broadcast.
    const batches = [0, 1].map(input => {
      const { shape, axes } = operand(c, input);
      return { shape: shape.slice(0, -2), axes: axes.slice(0, -2) };
    });
    const rows = a.length > 1 ? [a.at(-2)!] : [];
    const columns = b.length > 1 ? [b.at(-1)!] : [];
    c.out(0, [...broadcast(c, batches), ...rows, ...columns]);
  },
};

const gemm: DimRule = {
  ops: ['Gemm'],
  pass(c) {
    const [rows, left] = c.node.int('transA', 0) === 1 ? [1, 0] : [0, 1];
    const [right, columns] = c.node.int('transB', 0) === 1 ? [1, 0] : [0, 1];
    const a = c.axes(0);
    const b = c.axes(1);
    c.join(a[left]!, b[right]!);
    c.contract(0, left);
    const product = {
      shape: [c.shape(0)[rows]!, c.shape(1)[columns]!],
      axes: [a[rows]!, b[columns]!],
    };
    c.out(0, c.has(2) ? broadcast(c, [product, operand(c, 2)]) : product.axes);
  },
};

/** Letters of one equation are one dimension; those that the result lacks are summed over. */
const einsum: DimRule = {
  ops: ['Einsum'],
  pass(c) {
    const equation = c.node.string('equation', '').replaceAll(' ', '');
    const [left, right] = equation.split('->');
    if (right === undefined || equation.includes('.'))
      throw new Refusal('its equation has no result or an ellipsis');
    const axes = new Map<string, Axis>();
    left!.split(',').forEach((term, input) => {
      const own = c.axes(input);
      [...term].forEach((letter, at) => {
        const known = axes.get(letter);
        // An axis of size 1 would be broadcast.
        const sizes = c.shape(input)[at] === 1;
        axes.set(letter, known === undefined || sizes ? (known ?? own[at]!) : c.join(known, own[at]!));
        if (!right.includes(letter)) c.contract(input, at);
      });
    });
    c.out(
      0,
      [...right].map(letter => axes.get(letter)!),
    );
  },
};

export const MATMUL = [matmul, gemm, einsum];
