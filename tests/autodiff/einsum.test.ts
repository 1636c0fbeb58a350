import { describe, it } from 'vitest';
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
  ['ij,jk->ik', [2, 1], [3, 4]],
  ['ij,jk->ik', [2, 3], [1, 4]],
  ['ij,jk->i', [2, 1], [3, 1]],
  ['i,i->i', [1], [3]],
  ['ij,jk->ik', [2, 0], [0, 4]],
  ['ij,jk->ik', [0, 3], [3, 4]],
  ['ii->i', [3, 3]],
  ['ii->', [3, 3]],
  ['iji->j', [2, 3, 2]],
  ['iij,j->i', [2, 2, 3], [3]],
  ['ii,ij->j', [2, 2], [2, 3]],
  ['...ii->...i', [3, 2, 2]],
  ['i...i->...', [2, 3, 4, 2]],
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
});
