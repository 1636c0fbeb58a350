import { expect, it } from 'vitest';
import { abcNet, dorefa, learnedSteps, quantizationAware, xnor } from '../../../src/methods/quantized/index.js';
import type { TrainingMethod } from '../../../src/train/index.js';
import { compareExport, trainTiny } from './tiny.js';

const METHODS: Record<string, () => TrainingMethod> = {
  'qat int8': () => quantizationAware(),
  'qat int8, all layers': () => quantizationAware({ layers: 'all' }),
  'qat int4, inputs in float32': () => quantizationAware({ bits: 4, inputBits: 0 }),
  'lsq 4 bits': () => learnedSteps(),
  'lsq 8 bits, a step for each output': () => learnedSteps({ bits: 8, perOutput: true, layers: 'all' }),
  'lsq 3 bits, inputs of 4': () => learnedSteps({ bits: 3, inputBits: 4 }),
  'dorefa 1-2-6': () => dorefa(),
  'dorefa 4-8-32': () => dorefa({ bits: 4, inputBits: 8, gradientBits: 32 }),
  xnor: () => xnor(),
  'binary weights': () => xnor({ inputs: false }),
  'abc-net': () => abcNet(),
};

it.each(Object.keys(METHODS))('%s learns, and its export computes what it trained', async name => {
  const method = METHODS[name]!();
  const { losses, network } = await trainTiny(method);
  const mean = (part: readonly number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  expect(mean(losses.slice(-6))).toBeLessThan(0.9 * mean(losses.slice(0, 6)));
  const { trained, exported } = await compareExport(network, method);
  const distance = Math.max(...trained.map((value, i) => Math.abs(value - exported[i]!)));
  console.log(name, losses[0], losses.at(-1), distance);
  expect(distance).toBeLessThan(1e-4);
});
