/**
 * Reads and writes a model of 3 GB and says how much memory that took.
 *
 *     npx jiti bench/onnx-large.ts [--json]
 *
 * The model lies in the folder for temporary files and is removed afterwards. The peer copies the same files in
 * pieces of 16 MB and flushes them to disk, which is the least that any way of saving must do.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Graph } from '../src/graph/graph.js';
import { Model } from '../src/graph/model.js';
import { Tensor } from '../src/graph/tensor.js';
import { tensorType } from '../src/graph/value.js';
import { loadModel } from '../src/onnx/load.node.js';
import { saveModel } from '../src/onnx/save.node.js';
import { type Measurement, peakMemory, resetPeakMemory, runBenchmark, time } from './harness.js';

const MB = 2 ** 20;
const WEIGHT_BYTES = 64 * MB;
const WEIGHTS = 48;
const SIDE = Math.sqrt(WEIGHT_BYTES / 4);

/** A weight that is made when it is read; each has other bytes. */
function syntheticWeight(index: number): Tensor {
  const read = () => new Uint8Array(WEIGHT_BYTES).fill(index + 1);
  return new Tensor('float32', [SIDE, SIDE], { byteLength: WEIGHT_BYTES, read });
}

function syntheticModel(): Model {
  const graph = new Graph('large');
  let x = graph.addInput('x', tensorType('float32', ['batch', SIDE]));
  for (let i = 0; i < WEIGHTS; i++) x = graph.op('MatMul', [x, graph.constant(syntheticWeight(i), 'weight')]);
  graph.addOutput(x, 'y');
  return new Model(graph);
}

/** A hash over all weights, read one at a time. */
function digest(model: Model): string {
  const hash = createHash('sha256');
  for (const { initializer } of model.graph.initializers) {
    if (initializer instanceof Tensor) hash.update(initializer.bytes());
  }
  return hash.digest('hex');
}

async function copyFlushed(from: string, to: string): Promise<void> {
  const [source, target] = [await open(from, 'r'), await open(to, 'w')];
  const piece = new Uint8Array(16 * MB);
  for (;;) {
    const { bytesRead } = await source.read(piece);
    if (bytesRead === 0) break;
    await target.write(piece, 0, bytesRead);
  }
  await target.sync();
  await source.close();
  await target.close();
}

async function loadAndSave(): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'whittle-bench-'));
  try {
    resetPeakMemory();
    const startMiB = peakMemory();
    const original = syntheticModel();
    const { files, bytes } = await saveModel(original, join(folder, 'a.onnx'));
    const copy = () =>
      time(async () => {
        for (const { path } of files) await copyFlushed(path, `${path}.copy`);
        for (const { path } of files) rmSync(`${path}.copy`);
      });
    // Disks tire: the peer runs before and after.
    const before = await copy();
    resetPeakMemory();
    let model = original;
    const ms = await time(async () => {
      model = await loadModel(join(folder, 'a.onnx'));
      await saveModel(model, join(folder, 'b.onnx'));
    });
    const peakMiB = peakMemory();
    rmSync(join(folder, 'b.onnx.data'));
    const after = await copy();
    if (digest(model) !== digest(original)) throw new Error('the weights are not those that were written');
    const extra = { gigabytes: bytes / 1e9, largestWeightMiB: WEIGHT_BYTES / MB, startMiB, peakMiB };
    return { ms, peer: 'copy of the files', peerMs: (before + after) / 2, extra };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await runBenchmark([{ name: 'onnx-large', run: loadAndSave }]);
