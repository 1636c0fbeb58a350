import { describe, expect, it } from 'vitest';
import { Graph, gradients, tensorType } from '../../src/graph/index.js';
import { checkGradients } from './check.js';
import { Random } from './random.js';

const ROWS: readonly [equation: string, ...dims: number[][]][] = [
  ['ij,jk->ik', [2, 3], [3, 4]],
  ['ij,jk->ki', [2, 3], [3, 4]],
  ['bij,bjk->bik', [2, 2, 3], [2, 3, 2]],
  ['ij->ji', [2, 3]],
  ['ij->i', [2, 3]],
  ['ij->', [2, 3]],
  ['ij,ij->', [2, 3], [2, 3]],
  ['i,j->ij', [2], [3]],
  ['ij,kl->il', [2, 3], [2, 4]],
  ['bhqd,bhkd->bhqk', [2, 1, 3, 2], [2, 1, 2, 2]],
  ['...ij,jk->...ik', [2, 2, 3], [3, 2]],
  ['...ij,...jk->...ik', [2, 2, 3], [2, 3, 2]],
  ['ij,jk,kl->il', [2, 3], [3, 2], [2, 4]],
  ['ij,jk', [2, 3], [3, 4]],
];

describe('gradients of Einsum', () => {
  it.each(ROWS)('%s', async (equation, ...dims) => {
    for (const symbolic of [false, true]) {
      await checkGradients(
        {
          variables: dims.map(d => ({ dims: d, symbolic })),
          build: (b, xs) => b.op('Einsum', xs, { equation }),
          truth: 'float64',
        },
        new Random(1),
      );
    }
  });

  it('says that it has none for a diagonal', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [3, 3]));
    const y = graph.op('Einsum', [x], { equation: 'ii->i' });
    expect(() => gradients(graph, y, [x])).toThrow(/a diagonal/);
  });
});
