/**
 * Reads and writes a model of 3 GB and says how much memory that took.
 *
 *     npx jiti bench/onnx-large.ts [--json] [--only load-save]
 *
 * The model lies in the folder for temporary files and is removed afterwards. The peer copies the same files in
 * pieces of 16 MB and flushes them to disk, which is the least that any way of saving must do.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Graph } from '../src/graph/graph.js';
import { Model } from '../src/graph/model.js';
import { Tensor } from '../src/graph/tensor.js';
import { tensorType } from '../src/graph/value.js';
import { loadModel } from '../src/onnx/load.node.js';
import { saveModel } from '../src/onnx/save.node.js';

const NAME = 'load-save';
const MB = 2 ** 20;
const WEIGHT_BYTES = 64 * MB;
const WEIGHTS = 48;
const SIDE = Math.sqrt(WEIGHT_BYTES / 4);

const { values: options } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } });

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

async function timed<T>(body: () => Promise<T>): Promise<[ms: number, result: T]> {
  const start = performance.now();
  const result = await body();
  return [performance.now() - start, result];
}

const peakMB = () => process.resourceUsage().maxRSS / 1024;

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'whittle-bench-'));
  try {
    const startMB = peakMB();
    const original = syntheticModel();
    const { files, bytes } = await saveModel(original, join(folder, 'a.onnx'));
    const copy = async () => {
      for (const { path } of files) await copyFlushed(path, `${path}.copy`);
      for (const { path } of files) rmSync(`${path}.copy`);
    };
    // Disks tire: the peer runs before and after.
    const [before] = await timed(copy);
    const [ms, model] = await timed(async () => {
      const loaded = await loadModel(join(folder, 'a.onnx'));
      await saveModel(loaded, join(folder, 'b.onnx'));
      return loaded;
    });
    const peak = peakMB();
    rmSync(join(folder, 'b.onnx.data'));
    const written = digest(model);
    if (written !== digest(original)) throw new Error('the weights are not those that were written');
    const [after] = await timed(copy);
    const peerMs = (before + after) / 2;
    const result = { name: NAME, ms, peer: 'copy of the files', peerMs, ratio: ms / peerMs };
    const largestWeightMB = WEIGHT_BYTES / MB;
    if (options.json) {
      console.log(JSON.stringify({ ...result, bytes, startMB, peakMB: peak, largestWeightMB }));
      return;
    }
    console.log(
      `model: ${(bytes / 1e9).toFixed(2)} GB in ${files.length} files, ${WEIGHTS} weights of ${largestWeightMB} MB`,
    );
    console.log(
      `load and save: ${(ms / 1000).toFixed(1)} s, ${result.ratio.toFixed(2)} x the time of copying the files`,
    );
    console.log(
      `peak memory: ${peak.toFixed(0)} MB, of which ${startMB.toFixed(0)} MB before the start; ` +
        `the rest is ${((peak - startMB) / largestWeightMB).toFixed(1)} x the largest weight`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (!options.only || options.only === NAME) await main();
