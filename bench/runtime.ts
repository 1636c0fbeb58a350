/**
 * What a run costs beyond the model's own work, against onnxruntime-node called directly in the same way (with new
 * outputs, or writing into given ones), its tensors made before:
 * `npm run bench:runtime -- [--only NAME] [--json]`.
 */
import { createRequire } from 'node:module';
import type * as OrtNode from 'onnxruntime-node';
import { Graph, Model, Tensor, tensorType } from '../src/graph/index.js';
import { encodeToBytes } from '../src/onnx/index.js';
import { createSession, type SessionOptions } from '../src/runtime/index.js';
import { percentile, timeInterleaved } from '../src/runtime/timing.js';
import { type Measurement, runBenchmark } from './harness.js';

const ort = createRequire(import.meta.url)('onnxruntime-node') as typeof OrtNode;

interface Shape {
  /** Inputs, and as many outputs. */
  readonly count: number;
  /** Elements of each. */
  readonly size: number;
  /** `run` checks and converts at each call and makes new outputs; `bound` does it once and writes into the same. */
  readonly path: 'run' | 'bound';
  /** Calls that are timed as one. */
  readonly calls: number;
}

const SHAPES: Record<string, Shape> = {
  'run-1': { count: 1, size: 4, path: 'run', calls: 500 },
  'bound-1': { count: 1, size: 4, path: 'bound', calls: 500 },
  'run-100': { count: 100, size: 4, path: 'run', calls: 20 },
  'bound-100': { count: 100, size: 4, path: 'bound', calls: 20 },
  'run-16MB': { count: 1, size: 4 << 20, path: 'run', calls: 1 },
  'bound-16MB': { count: 1, size: 4 << 20, path: 'bound', calls: 1 },
};

/** `count` inputs x0, x1, … each negated into an output y0, y1, … */
function negations({ count, size }: Shape): Model {
  const graph = new Graph();
  for (let i = 0; i < count; i++) {
    const x = graph.addInput(`x${i}`, tensorType('float32', [size]));
    const y = graph.op('Neg', [x], {}, { outputs: [`y${i}`] });
    y.type = tensorType('float32', [size]);
    graph.addOutput(y);
  }
  return new Model(graph);
}

async function measure(bench: Shape): Promise<Measurement> {
  const bytes = encodeToBytes(negations(bench));
  const settings: SessionOptions = { threads: 1 };
  const session = await createSession(bytes, settings);
  const direct = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1 });
  const indices = Array.from({ length: bench.count }, (_, i) => i);
  const data = indices.map(i => new Float32Array(bench.size).fill(i));
  const tensors = data.map(array => Tensor.float32([bench.size], array));
  const feeds = Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]));
  const peerFeeds = Object.fromEntries(
    data.map((array, i) => [`x${i}`, new ort.Tensor('float32', array, [bench.size])]),
  );
  const outputs = Object.fromEntries(
    indices.map(i => [`y${i}`, Tensor.float32([bench.size], new Float32Array(bench.size))]),
  );
  const peerOutputs = Object.fromEntries(
    indices.map(i => [`y${i}`, new ort.Tensor('float32', new Float32Array(bench.size), [bench.size])]),
  );
  const bound = session.bind(feeds, outputs);
  const [once, peerOnce] =
    bench.path === 'run'
      ? [() => session.run(feeds), () => direct.run(peerFeeds)]
      : [() => bound.run(), () => direct.run(peerFeeds, peerOutputs)];
  const repeat = (call: () => Promise<unknown>) => async () => {
    for (let i = 0; i < bench.calls; i++) await call();
  };
  const [ours, peers] = await timeInterleaved([repeat(once), repeat(peerOnce)], {
    warmup: 10,
    seconds: 4,
  });
  await Promise.all([session.release(), direct.release()]);
  const ms = percentile(ours!, 0.5) / bench.calls;
  const peerMs = percentile(peers!, 0.5) / bench.calls;
  // Per input or output.
  const extra = { microsecondsEach: Number(((1000 * ms) / (2 * bench.count)).toPrecision(3)) };
  return { ms, peer: 'onnxruntime-node', peerMs, extra };
}

await runBenchmark(Object.entries(SHAPES).map(([name, shape]) => ({ name, run: () => measure(shape) })));
