import { Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { createSession, DeviceTensor, download, type Provider } from '../../src/runtime/index.js';

/**
 * One step of gradient descent on a line fit: loss = mean((x·w − t)²), next = w − 0.2 · ∂loss/∂w, for x (16, 4),
 * t (16, 1), w (4, 1).
 */
function fitStep(): Model {
  const graph = new Graph();
  const x = graph.addInput('x', tensorType('float32', [16, 4]));
  const t = graph.addInput('t', tensorType('float32', [16, 1]));
  const w = graph.addInput('w', tensorType('float32', [4, 1]));
  const difference = graph.op('Sub', [graph.op('MatMul', [x, w]), t], {}, { outputs: ['difference'] });
  const squares = graph.op('Mul', [difference, difference]);
  const loss = graph.op('ReduceMean', [squares], { keepdims: 0 }, { outputs: ['loss'] });
  const product = graph.op('MatMul', [graph.op('Transpose', [x], { perm: [1, 0] }), difference]);
  const scale = graph.constant(Tensor.scalar((0.2 * 2) / 16));
  const next = graph.op('Sub', [w, graph.op('Mul', [product, scale])], {}, { outputs: ['next'] });
  loss.type = tensorType('float32', []);
  next.type = tensorType('float32', [4, 1]);
  graph.addOutput(loss);
  graph.addOutput(next);
  return new Model(graph);
}

const wave = (rows: number, columns: number): Tensor =>
  Tensor.float32(
    [rows, columns],
    Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(1 + i * i)),
  );

export interface PageResult {
  provider: Provider;
  /** From single runs; the difference is an intermediate value. */
  difference: number[];
  /** Of steps that write their state into two buffers in turns. */
  bufferedLosses: number[];
  /** Of steps that leave their state on the device. */
  keptLosses: number[];
  /** Whether there was a device to leave it on. */
  onDevice: boolean;
  /** What a file that is no model gives. */
  error: string;
}

/** What the test calls in the page, and in Node for comparison. */
export async function exercise(provider: Provider): Promise<PageResult> {
  const feeds = { x: wave(16, 4), t: wave(16, 1) };
  const model = fitStep();
  const session = await createSession(model, { provider, expose: ['difference'] });
  const { difference } = await session.run({ ...feeds, w: wave(4, 1) }, ['difference']);

  const [a, b] = [wave(4, 1), wave(4, 1)];
  const steps = [
    session.bind({ ...feeds, w: a }, { loss: null, next: b }),
    session.bind({ ...feeds, w: b }, { loss: null, next: a }),
  ];
  const bufferedLosses: number[] = [];
  for (let i = 0; i < 10; i++) {
    const { loss } = await steps[i % 2]!.run();
    bufferedLosses.push((await download(loss!)).toNumbers()[0]!);
  }
  await session.release();

  const keeping = await createSession(model, { provider, keepOnDevice: ['next'] });
  const step = keeping.bind({ ...feeds, w: wave(4, 1) });
  const keptLosses: number[] = [];
  let onDevice = true;
  let before: DeviceTensor | undefined;
  for (let i = 0; i < 10; i++) {
    const { loss, next } = await step.run();
    keptLosses.push((await download(loss!)).toNumbers()[0]!);
    step.feed('w', next!);
    before?.release();
    before = next instanceof DeviceTensor ? next : undefined;
    onDevice &&= before !== undefined;
  }
  await keeping.release();

  const failure = await createSession(new Uint8Array([1, 2, 3]), { provider }).catch((e: Error) => e);
  return {
    provider: session.provider,
    difference: difference!.toNumbers(),
    bufferedLosses,
    keptLosses,
    onDevice,
    error: failure instanceof Error ? failure.message : 'none',
  };
}

Object.assign(globalThis, { exercise });
