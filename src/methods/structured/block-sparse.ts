import { WhittleError } from '../../graph/errors.js';
import { Tensor } from '../../graph/tensor.js';
import { Random } from '../../random/random.js';
import { choice, integer } from '../../train/config/settings.js';
import { defineMethod } from '../entry.js';
import { fractionSetting, LAYER_SETTINGS, structuredMethod } from './method.js';
import { fromBlocks, toBlocks } from './rows.js';
import type { LinearShape, Structure } from './structure.js';

/**
 * Which blocks are there, besides those of the diagonal: `cyclic`, at equal distances; `butterfly`, at distances of
 * powers of two (block b XOR 2ᵏ, for 2ⁿ blocks a side); `random`.
 */
export type BlockPattern = 'cyclic' | 'butterfly' | 'random';

export interface BlockSparseOptions {
  /** Blocks kept, as a fraction of all. */
  readonly fraction: number;
  /** Blocks on each side. */
  readonly blocks: number;
  /** Default `butterfly`. */
  readonly pattern?: BlockPattern;
  /** For `random`; default 0. */
  readonly seed?: number;
}

/**
 * A weight of which whole blocks are absent, equally many for each output block, chosen once for all. The blocks of an
 * output lie side by side in `weight` (blocks, kept · in / blocks, out / blocks): one batched product, nothing wasted.
 * The butterfly pattern is that of Pixelated Butterfly (Dao et al., ICLR 2022), without its low-rank term.
 * @throws WhittleError where the blocks do not divide both widths, the fraction leaves none, or the pattern has too few
 */
export function blockSparse(shape: LinearShape, options: BlockSparseOptions): Structure {
  const { inFeatures, outFeatures } = shape;
  const { blocks, fraction } = options;
  const size = inFeatures / blocks;
  const outSize = outFeatures / blocks;
  if (!(Number.isInteger(size) && Number.isInteger(outSize))) {
    throw new WhittleError(`${blocks} blocks a side do not divide a ${outFeatures} × ${inFeatures} weight`, {
      hint: 'Take a number of blocks that divides both widths',
    });
  }
  const kept = Math.floor(fraction * blocks + 1e-9);
  if (kept < 1 || kept > blocks) {
    throw new WhittleError(`${fraction} of ${blocks} blocks a row is ${kept}`, {
      hint: `Keep between 1/${blocks} and 1`,
    });
  }
  const columns = blockColumns(blocks, kept, options);
  return {
    inFeatures,
    outFeatures,
    factors: [
      {
        name: 'blocks',
        dims: [blocks, kept * size, outSize],
        variance: perWeight => (perWeight * blocks) / kept,
      },
    ],
    macs: rows => rows * kept * size * outFeatures,
    apply(scope, rows, [weight]) {
      const x = toBlocks(scope, rows, blocks, size, 'contiguous');
      const name = `block_columns/${columns.flat().join(',')}`;
      const picks = scope.constant(name, () => Tensor.int64(columns.flat(), [blocks, kept]));
      const picked = scope.op('Gather', [x, picks], { axis: 0 }); // (blocks, kept, rows, size)
      const together = scope.reshape(scope.transpose(picked, 0, 2, 1, 3), blocks, -1, kept * size);
      return fromBlocks(scope, scope.op('MatMul', [together, weight!]), blocks, outSize, 'contiguous');
    },
    fromDense(weight) {
      const data = new Float32Array(blocks * kept * size * outSize);
      let next = 0;
      for (const [b, picked] of columns.entries()) {
        for (const column of picked) {
          for (let i = 0; i < size; i++) {
            for (let o = 0; o < outSize; o++) {
              data[next++] = weight.data[(b * outSize + o) * inFeatures + column * size + i]!;
            }
          }
        }
      }
      return [data];
    },
  };
}

/** Of each block of outputs, the blocks of inputs that it sees, in rising order. */
export function blockColumns(
  blocks: number,
  kept: number,
  { pattern = 'butterfly', seed = 0 }: Pick<BlockSparseOptions, 'pattern' | 'seed'> = {},
): number[][] {
  const rows = Array.from({ length: blocks }, (_, b) => b);
  const levels = Math.log2(blocks);
  if (pattern === 'butterfly' && !(Number.isInteger(levels) && kept <= levels + 1)) {
    throw new WhittleError(`a butterfly of ${blocks} blocks a side does not have ${kept} blocks a row`, {
      hint: 'It has up to 1 + log₂ of a power of two; the pattern "cyclic" has any number',
    });
  }
  const random = new Random(seed, 'block-sparse');
  const columnsOf = (b: number): number[] => {
    if (pattern === 'cyclic')
      return Array.from({ length: kept }, (_, k) => (b + Math.floor((k * blocks) / kept)) % blocks);
    // The widest distances first: neighbours are on the diagonal already.
    if (pattern === 'butterfly')
      return [b, ...Array.from({ length: kept - 1 }, (_, k) => b ^ (blocks >> (k + 1)))];
    const others = rows.filter(other => other !== b);
    for (let i = 0; i < kept - 1; i++) {
      const j = i + random.integer(others.length - i);
      [others[i], others[j]] = [others[j]!, others[i]!];
    }
    return [b, ...others.slice(0, kept - 1)];
  };
  return rows.map(b => columnsOf(b).sort((x, y) => x - y));
}

export const blockSparseMethod = defineMethod({
  name: 'block-sparse',
  family: 'structured',
  summary: 'A fixed pattern of dense blocks instead of a whole weight.',
  paper: {
    title: 'Pixelated Butterfly: Simple and Efficient Sparse Training for Neural Network Models',
    authors: 'Dao, Chen, Liang, Yang, Song, Rudra, Ré',
    year: 2022,
    url: 'https://arxiv.org/abs/2112.00029',
  },
  settings: {
    ...LAYER_SETTINGS,
    fraction: fractionSetting(),
    blocks: integer(8, { min: 1, description: 'blocks on each side of the weight' }),
    pattern: choice('butterfly', ['butterfly', 'cyclic', 'random'], 'which blocks are there'),
    seed: integer(0, { min: 0, description: 'for the random pattern' }),
  },
  create: values => structuredMethod('block-sparse', values, shape => blockSparse(shape, values)),
});
