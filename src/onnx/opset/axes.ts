import type { Change } from './change.js';

const REDUCTIONS_18 =
  'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare';

/** Axes became an input: of Squeeze, Unsqueeze and ReduceSum in 13, of the other reductions in 18. */
export const axesToInput: Change[] = [
  ...['Squeeze', 'Unsqueeze', 'ReduceSum'].map(op => ({ op, version: 13 })),
  ...REDUCTIONS_18.split(' ').map(op => ({ op, version: 18 })),
].map(change => ({
  ...change,
  reads: ['axes'],
  apply: (node, context) => context.moveToInput(node, 'axes', 1),
}));
