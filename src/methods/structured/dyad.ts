import { WhittleError } from '../../graph/errors.js';
import type { Value } from '../../graph/value.js';
import type { Scope } from '../../nn/scope.js';
import { choice, flag, integer } from '../../train/config/settings.js';
import { defineMethod } from '../entry.js';
import { LAYER_SETTINGS, structuredMethod } from './method.js';
import { type BlockOrder, featureOf, fromBlocks, toBlocks } from './rows.js';
import type { LinearShape, Structure } from './structure.js';

/** What is permuted around the second block-diagonal matrix: its input, its output, or both. */
export type DyadVariant = 'it' | 'ot' | 'dt';

export interface DyadOptions {
  /** Blocks of each of the two matrices (`dyad_dim`): the layer has 2 / blocks of the dense parameters. */
  readonly blocks: number;
  /** Default `it`. */
  readonly variant?: DyadVariant;
  /** Both products in one, as the paper's -CAT; the same function. Default false. */
  readonly cat?: boolean;
}

/** How the second matrix takes its input and gives its output. */
const ORDERS: Readonly<Record<DyadVariant, readonly [input: BlockOrder, output: BlockOrder]>> = {
  it: ['strided', 'contiguous'],
  ot: ['contiguous', 'strided'],
  dt: ['strided', 'strided'],
};

/**
 * The sum of a block-diagonal matrix and of another one with its columns, its rows or both dealt out to the blocks in
 * turn (DYAD-IT, -OT, -DT): each output sees its own neighbourhood and a sample of everything. Both are tensors
 * (blocks, in / blocks, out / blocks), the paper's with the last two swapped, as MatMul takes them.
 * @throws WhittleError where the blocks do not divide both widths
 */
export function dyad(shape: LinearShape, { blocks, variant = 'it', cat = false }: DyadOptions): Structure {
  const { inFeatures, outFeatures } = shape;
  const size = inFeatures / blocks;
  const outSize = outFeatures / blocks;
  if (!(Number.isInteger(size) && Number.isInteger(outSize))) {
    throw new WhittleError(`DYAD: ${blocks} blocks do not divide a ${outFeatures} × ${inFeatures} weight`, {
      hint: 'Take a number of blocks that divides both widths',
    });
  }
  const dims = [blocks, size, outSize];
  // Each output is a sum over two blocks.
  const variance = (perWeight: number): number => (perWeight * blocks) / 2;
  const parts: Parts = { blocks, size, outSize, orders: ORDERS[variant] };
  return {
    inFeatures,
    outFeatures,
    factors: [
      { name: 'block_diagonal', dims, variance },
      { name: 'block_transposed', dims, variance },
    ],
    macs: rows => (2 * rows * inFeatures * outFeatures) / blocks,
    apply: (scope, rows, [first, second]) => (cat ? inOne : apart)(scope, rows, [first!, second!], parts),
    fromDense: weight => shared(weight.data, inFeatures, parts),
  };
}

interface Parts {
  readonly blocks: number;
  readonly size: number;
  readonly outSize: number;
  readonly orders: readonly [BlockOrder, BlockOrder];
}

type Pair = readonly [Value, Value];

function apart(scope: Scope, rows: Value, [first, second]: Pair, parts: Parts): Value {
  const { blocks, size, outSize, orders } = parts;
  const [input, output] = orders;
  const near = scope.op('MatMul', [toBlocks(scope, rows, blocks, size, 'contiguous'), first]);
  const far = scope.op('MatMul', [toBlocks(scope, rows, blocks, size, input), second]);
  if (output === 'contiguous')
    return fromBlocks(scope, scope.op('Add', [near, far]), blocks, outSize, output);
  return scope.op('Add', [
    fromBlocks(scope, near, blocks, outSize, 'contiguous'),
    fromBlocks(scope, far, blocks, outSize, output),
  ]);
}

function inOne(scope: Scope, rows: Value, [first, second]: Pair, parts: Parts): Value {
  const { blocks, size, outSize, orders } = parts;
  const [input, output] = orders;
  const near = toBlocks(scope, rows, blocks, size, 'contiguous');
  const far = input === 'contiguous' ? near : toBlocks(scope, rows, blocks, size, input);
  if (output === 'contiguous') {
    const x = scope.op('Concat', [near, far], { axis: 2 });
    const weight = scope.op('Concat', [first, second], { axis: 1 });
    return fromBlocks(scope, scope.op('MatMul', [x, weight]), blocks, outSize, output);
  }
  // One input gives two outputs, or two inputs give two outputs.
  const product =
    input === 'contiguous'
      ? scope.op('MatMul', [near, scope.op('Concat', [first, second], { axis: 2 })])
      : scope.op('MatMul', [
          scope.op('Concat', [near, far], { axis: 0 }),
          scope.op('Concat', [first, second], { axis: 0 }),
        ]);
  const axis = input === 'contiguous' ? 2 : 0;
  const halves = scope.node('Split', [product], { axis, num_outputs: 2 }, { outputs: 2 }).outputs as Value[];
  return scope.op('Add', [
    fromBlocks(scope, halves[0]!, blocks, outSize, 'contiguous'),
    fromBlocks(scope, halves[1]!, blocks, outSize, output),
  ]);
}

/** The weight where the blocks lie; where both do, each takes a half. */
function shared(weight: Float64Array, inFeatures: number, parts: Parts): Float32Array[] {
  const { blocks, size, outSize, orders } = parts;
  const [input, output] = orders;
  const factors = [0, 1].map(() => new Float32Array(blocks * size * outSize));
  const inFirst = (o: number, i: number): boolean => Math.floor(o / outSize) === Math.floor(i / size);
  const blockOf = (at: number, order: BlockOrder, width: number): number =>
    order === 'strided' ? at % blocks : Math.floor(at / width);
  const inSecond = (o: number, i: number): boolean => blockOf(o, output, outSize) === blockOf(i, input, size);
  for (let b = 0; b < blocks; b++) {
    for (let i = 0; i < size; i++) {
      for (let o = 0; o < outSize; o++) {
        const at = (b * size + i) * outSize + o;
        const [oFirst, iFirst] = [b * outSize + o, b * size + i];
        factors[0]![at] = weight[oFirst * inFeatures + iFirst]! / (inSecond(oFirst, iFirst) ? 2 : 1);
        const oFar = featureOf(b, o, blocks, outSize, output);
        const iFar = featureOf(b, i, blocks, size, input);
        factors[1]![at] = weight[oFar * inFeatures + iFar]! / (inFirst(oFar, iFar) ? 2 : 1);
      }
    }
  }
  return factors;
}

export const dyadMethod = defineMethod({
  name: 'dyad',
  family: 'structured',
  summary: 'A block-diagonal matrix and a permuted one instead of a weight.',
  paper: {
    title: 'DYAD: A Descriptive Yet Abjuring Density efficient approximation to linear neural network layers',
    authors: 'Chandy, Gangal, Yang, Maggiotti',
    year: 2023,
    url: 'https://arxiv.org/abs/2312.06881',
  },
  settings: {
    ...LAYER_SETTINGS,
    blocks: integer(4, { min: 1, description: 'blocks of each matrix; 2 / blocks of the parameters remain' }),
    variant: choice('it', ['it', 'ot', 'dt'], 'what is permuted: input, output, both'),
    cat: flag(false, 'both products in one'),
  },
  create: values => structuredMethod('dyad', values, shape => dyad(shape, values)),
});
