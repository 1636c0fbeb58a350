import { erf } from './special.js';

export type Formula = readonly [
  op: string,
  f: (x: number) => number,
  attributes?: Record<string, number | string>,
  domain?: readonly [number, number],
];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log1p(Math.exp(x));
export const gelu = (x: number): number => (x / 2) * (1 + erf(x / Math.SQRT2));
export const tanhGelu = (x: number): number =>
  (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** Functions of one value that have float32 kernels only, with their formula. */
export const FORMULAS: readonly Formula[] = [
  ['Erf', erf],
  ['Tan', Math.tan, {}, [-1, 1]],
  ['Asin', Math.asin, {}, [-0.8, 0.8]],
  ['Acos', Math.acos, {}, [-0.8, 0.8]],
  ['Atan', Math.atan],
  ['Sinh', Math.sinh],
  ['Cosh', Math.cosh],
  ['Asinh', Math.asinh],
  ['Acosh', Math.acosh, {}, [1.3, 3]],
  ['Atanh', Math.atanh, {}, [-0.7, 0.7]],
  ['LeakyRelu', x => (x > 0 ? x : 0.3 * x), { alpha: 0.3 }],
  ['ThresholdedRelu', x => (x > 0.4 ? x : 0), { alpha: 0.4 }],
  ['Shrink', x => (x > 0.4 ? x - 0.1 : x < -0.4 ? x + 0.1 : 0), { lambd: 0.4, bias: 0.1 }],
  ['Elu', x => (x > 0 ? x : 0.7 * Math.expm1(x)), { alpha: 0.7 }],
  ['Selu', x => 1.0507 * (x > 0 ? x : 1.6733 * Math.expm1(x)), { alpha: 1.6733, gamma: 1.0507 }],
  ['Celu', x => (x > 0 ? x : 0.8 * Math.expm1(x / 0.8)), { alpha: 0.8 }],
  ['HardSigmoid', x => Math.min(1, Math.max(0, 0.9 * x + 0.4)), { alpha: 0.9, beta: 0.4 }],
  ['HardSwish', x => x * Math.min(1, Math.max(0, x / 6 + 0.5)), {}, [-4, 4]],
  ['Softplus', softplus],
  ['Softsign', x => x / (1 + Math.abs(x))],
  ['Mish', x => x * Math.tanh(softplus(x))],
  ['Gelu', gelu],
  ['Gelu', tanhGelu, { approximate: 'tanh' }],
  ['Relu', x => Math.max(0, x)],
  ['Tanh', Math.tanh],
  ['Sigmoid', sigmoid],
];
