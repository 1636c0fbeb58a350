import { expect, it } from 'vitest';
import { saveModel } from '../../../src/onnx/index.node.js'; import { exportTrained } from '../../../src/train/index.js';
import { abcNet, dorefa, learnedSteps, quantizationAware, xnor } from '../../../src/methods/quantized/index.js';
import type { TrainingMethod } from '../../../src/train/index.js';
import { compareExport, tinyNet, trainTiny } from './tiny.js';

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
  const { losses, network } = await trainTiny(method, {
    network: tinyNet(name === 'xnor' ? 'tanh' : 'relu'),
    ...(name === 'xnor' && { updates: 60 }),
  });
  const mean = (part: readonly number[]) => part.reduce((sum, loss) => sum + loss, 0) / part.length;
  expect(mean(losses.slice(-6))).toBeLessThan(0.9 * mean(losses.slice(0, 6)));
  if (process.env.DUMP) await saveModel(exportTrained(network, [method]), `/tmp/qat-${name.replace(/\W+/g, '-')}.onnx`, { overwrite: true });
  const { trained, exported, integers } = await compareExport(network, method);
  const distance = Math.max(...trained.map((value, i) => Math.abs(value - exported[i]!)));
  console.log(name, losses[0], losses.at(-1), distance, Math.max(...trained.map((value, i) => Math.abs(value - integers[i]!))));
  expect(distance).toBeLessThan(1e-4);
});
