import { drawDigits } from '../../examples/browser-training/digits.js';
import { trainDigits } from '../../examples/browser-training/training.js';
import { exportForInference } from '../../src/nn/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession, type Provider } from '../../src/runtime/index.js';

export interface TrainingResult {
  losses: number[];
  /** Of the exported file, for the first image. */
  scores: number[];
}

/** What the test calls in the page, and in Node for comparison. */
export async function learn(provider: Provider, updates: number): Promise<TrainingResult> {
  const data = { train: drawDigits(64, 1) };
  const losses: number[] = [];
  const { network } = await trainDigits({
    data,
    provider,
    updates,
    batchSize: 8,
    onUpdate: ({ loss }) => losses.push(loss),
  });
  const session = await createSession(encodeToBytes(exportForInference(network)), {
    provider: provider === 'cpu' ? 'cpu' : 'wasm',
  });
  const { pixel_values } = await data.train.batch([0]);
  const [scores] = Object.values(await session.run({ pixel_values: pixel_values! }));
  await session.release();
  return { losses, scores: scores!.toNumbers() };
}

Object.assign(globalThis, { learn });
