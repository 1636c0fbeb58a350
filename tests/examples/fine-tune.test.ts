import { expect, it } from 'vitest';
import fineTune from '../../examples/ocr/fine-tune.js';
import { lineLabels, readLine } from '../../examples/ocr/lines.js';
import { recognitionModel } from '../../examples/ocr/models.js';
import { asRunner } from '../../src/compress/scores.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { createSession } from '../../src/runtime/index.js';
import { exportTrained, MemoryLog, train } from '../../src/train/index.js';

/** How many of the first lines a model reads as they are written. */
async function readRight(model: string | Uint8Array, lines: number): Promise<number> {
  const session = await createSession(model, { threads: 1, spinning: false });
  const runner = asRunner(session);
  let right = 0;
  for (const label of lineLabels('calibration').slice(0, lines)) {
    if ((await readLine(runner, label)) === label.text) right++;
  }
  await session.release();
  return right;
}

it('a few lines lower the loss of the recognition model, which then reads them', async () => {
  const lines = 2;
  const training = await fineTune.build({ lines, batchSize: lines, epochs: 5, learningRate: 2e-4 });
  const log = new MemoryLog();
  const { network } = await train({ ...training, session: { threads: 1, spinning: false }, logs: [log] });
  const losses = log.records.map(({ values }) => values.loss!);
  expect(losses).toHaveLength(5);
  expect(losses.at(-1)).toBeLessThan(losses[0]! / 4);
  // The model as it comes leaves out a space.
  expect(await readRight(recognitionModel, lines)).toBe(1);
  expect(await readRight(encodeToBytes(exportTrained(network)), lines)).toBe(lines);
});
