import {
  type BlockSparseOptions,
  blockColumns,
  blockSparse,
  type DyadOptions,
  dyad,
  type LinearShape,
  type MonarchOptions,
  monarch,
  rankReduction,
  type StackedKroneckerOptions,
  stackedKronecker,
} from '../../../src/methods/structured/index.js';
import type { Example, Factors } from './check.js';

/** The weight element by element. */
const weightOf = ({ inFeatures, outFeatures }: LinearShape, element: (o: number, i: number) => number) =>
  Float64Array.from({ length: outFeatures * inFeatures }, (_, at) =>
    element(Math.floor(at / inFeatures), at % inFeatures),
  );

const sum = (count: number, term: (k: number) => number): number => {
  let total = 0;
  for (let k = 0; k < count; k++) total += term(k);
  return total;
};

/** Σ_r down[i, r] up[r, o] */
export function rankExample(shape: LinearShape, fraction: number): Example {
  const { inFeatures: n, outFeatures: m } = shape;
  const r = Math.floor((fraction * n * m) / (n + m));
  return {
    structure: rankReduction(shape, { fraction }),
    dense: ([down, up]: Factors) =>
      weightOf(shape, (o, i) => sum(r, k => down![i * r + k]! * up![k * m + o]!)),
  };
}

/** Σ_r (A_r ⊗ B_r)[i, o] */
export function kroneckerExample(shape: LinearShape, options: StackedKroneckerOptions): Example {
  const [p, q] = [shape.inFeatures, shape.outFeatures].map(size => Math.ceil(Math.sqrt(size))) as [
    number,
    number,
  ];
  const structure = stackedKronecker(shape, options);
  const r = structure.factors[0]!.dims[1]!;
  return {
    structure,
    dense: ([a, b]: Factors) =>
      weightOf(shape, (o, i) => {
        const outer = Math.floor(i / p) * q + Math.floor(o / q);
        const inner = (i % p) * q + (o % q);
        return sum(r, k => a![outer * r + k]! * b![k * p * q + inner]!);
      }),
  };
}

/** Which block a feature is in, and where there. */
const place = (feature: number, size: number, blocks: number, strided: boolean): [number, number] =>
  strided ? [feature % blocks, Math.floor(feature / blocks)] : [Math.floor(feature / size), feature % size];

export function dyadExample(shape: LinearShape, options: DyadOptions): Example {
  const { blocks, variant = 'it' } = options;
  const [size, outSize] = [shape.inFeatures / blocks, shape.outFeatures / blocks];
  const part = (data: Float64Array, o: number, i: number, strided: [boolean, boolean]): number => {
    const [inBlock, inAt] = place(i, size, blocks, strided[0]);
    const [outBlock, outAt] = place(o, outSize, blocks, strided[1]);
    return inBlock === outBlock ? data[(inBlock * size + inAt) * outSize + outAt]! : 0;
  };
  const strided: [boolean, boolean] = [variant !== 'ot', variant !== 'it'];
  return {
    structure: dyad(shape, options),
    dense: ([first, second]: Factors) =>
      weightOf(shape, (o, i) => part(first!, o, i, [false, false]) + part(second!, o, i, strided)),
  };
}

/** P L Pᵀ R with explicit permutation matrices. */
export function monarchExample(shape: LinearShape, options: MonarchOptions): Example {
  const { blocks: b } = options;
  const structure = monarch(shape, options);
  const [right, left] = structure.factors.map(({ dims }) => dims) as [number[], number[]];
  const [size, middle] = [right[1]!, right[2]!];
  const outSize = left[2]!;
  return {
    structure,
    dense: ([r, l]: Factors) => {
      const first = blockDiagonal(r!, b, size, middle); // (b · middle) × (b · size)
      const second = blockDiagonal(l!, b, middle, outSize);
      const shuffled = shuffleRows(first, b);
      const product = second.map(row =>
        Array.from({ length: b * size }, (_, i) => sum(b * middle, k => row[k]! * shuffled[k]![i]!)),
      );
      // Row l · outSize + s of the product is output s · b + l.
      return weightOf(shape, (o, i) => product[(o % b) * outSize + Math.floor(o / b)]![i]!);
    },
  };
}

/** Blocks (b, inputs, outputs) along the diagonal of a matrix, outputs × inputs. */
function blockDiagonal(data: Float64Array, b: number, inputs: number, outputs: number): number[][] {
  return Array.from({ length: b * outputs }, (_, o) =>
    Array.from({ length: b * inputs }, (_, i) => {
      const block = Math.floor(o / outputs);
      if (block !== Math.floor(i / inputs)) return 0;
      return data[(block * inputs + (i % inputs)) * outputs + (o % outputs)]!;
    }),
  );
}

/** Rows dealt out to b hands in turn: row j of the hand h was row j · b + h. */
const shuffleRows = (rows: number[][], b: number): number[][] =>
  rows.map((_, at) => {
    const hand = rows.length / b;
    return rows[(at % hand) * b + Math.floor(at / hand)]!;
  });

export function blockSparseExample(shape: LinearShape, options: BlockSparseOptions): Example {
  const { blocks } = options;
  const structure = blockSparse(shape, options);
  const [size, outSize] = [shape.inFeatures / blocks, shape.outFeatures / blocks];
  const kept = structure.factors[0]!.dims[1]! / size;
  const columns = blockColumns(blocks, kept, options);
  return {
    structure,
    dense: ([data]: Factors) =>
      weightOf(shape, (o, i) => {
        const row = Math.floor(o / outSize);
        const at = columns[row]!.indexOf(Math.floor(i / size));
        return at < 0 ? 0 : data![((row * kept + at) * size + (i % size)) * outSize + (o % outSize)]!;
      }),
  };
}
