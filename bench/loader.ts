/**
 * What making batches costs beside the steps that they are for: the ratio is the share of a step that a thread of its
 * own could save at most.
 *
 *   npx jiti bench/loader.ts --cpu                     arrays with random crops and flips, against steps of two models
 *   npx jiti bench/loader.ts --only folder             images decoded while the step runs, against decoding when needed
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { ImageArray } from '../src/datasets/index.js';
import { loadImageFolder } from '../src/datasets/index.node.js';
import { layoutPass } from '../src/runtime/layout/index.js';
import { Loader, randomCrop, randomFlip, StepRunner, trainingStep } from '../src/train/index.js';
import { type Measurement, runBenchmark, time } from './harness.js';
import { batchOf, MODELS } from './training/models.js';

const BATCH = 128;

/** Bytes of noise; what they show costs nothing. */
function images(shape: readonly [number, number, number]): ImageArray {
  const length = 2048;
  const size = shape[0] * shape[1] * shape[2];
  return new ImageArray({
    pixels: Uint8Array.from({ length: length * size }, (_, i) => (i * 7919) >> 5),
    labels: Array.from({ length }, (_, i) => i % 10),
    shape,
    normalization: { mean: Array(shape[0]).fill(0.5), std: Array(shape[0]).fill(0.25) },
    classes: Array.from({ length: 10 }, (_, i) => String(i)),
  });
}

/** Milliseconds of a batch against those of a step of the named model. */
async function share(shape: readonly [number, number, number], name: string): Promise<Measurement> {
  const loader = new Loader(images(shape), {
    batchSize: BATCH,
    transforms: [randomCrop({ padding: 4 }), randomFlip()],
    prefetch: 0,
  });
  const model = MODELS.find(m => m.name === name)!;
  const step = trainingStep(model.build(), {
    objective: model.objective,
    optimizer: model.optimizer,
    weightDecay: true,
    sizes: model.sizes,
    passes: [await layoutPass({ threads: 1 })],
  });
  const runner = await StepRunner.create(step, { threads: 1 });
  const batch = batchOf(model);
  const [batches, steps] = [20, 3];
  let [ms, peerMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 3; round++) {
    const made = await time(async () => {
      for (let i = 0; i < batches; i++) await loader.next();
    });
    const trained = await time(async () => {
      for (let i = 0; i < steps; i++) await runner.run(batch, model.rates);
    });
    if (round === 0) continue;
    ms = Math.min(ms, made / batches);
    peerMs = Math.min(peerMs, trained / steps);
  }
  await runner.release();
  return { ms, peer: `a step of ${name}, 1 thread`, peerMs };
}

/**
 * ONNX Runtime holds the thread of JavaScript in Node as long as a step runs; sharp's threads can go on meanwhile. What
 * is left to wait for afterwards, against the whole.
 */
async function overlap(): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'whittle-loader-'));
  try {
    mkdirSync(join(folder, 'a'));
    const side = 256;
    const pixels = Buffer.from(Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * 31) >> 5));
    const image = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
      .jpeg()
      .toBuffer();
    for (let i = 0; i < 32; i++) writeFileSync(join(folder, 'a', `${i}.jpg`), image);
    const dataset = loadImageFolder(folder, { size: 224 });
    const all = Array.from({ length: dataset.length }, (_, i) => i);
    const asleep = new Int32Array(new SharedArrayBuffer(4));
    let [ms, peerMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let round = 0; round < 4; round++) {
      const whole = await time(() => dataset.batch(all));
      const asked = dataset.batch(all);
      // A step that takes as long as the batch.
      Atomics.wait(asleep, 0, 0, whole);
      const rest = await time(() => asked);
      if (round === 0) continue;
      ms = Math.min(ms, rest);
      peerMs = Math.min(peerMs, whole);
    }
    return { ms, peer: 'decoding when the batch is needed', peerMs };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await runBenchmark([
  { name: 'mnist-mlp', run: () => share([1, 28, 28], 'mlp-b128') },
  { name: 'cifar-resnet20', run: () => share([3, 32, 32], 'resnet20-b128') },
  { name: 'folder', run: overlap },
]);
