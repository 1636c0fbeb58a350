import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pc from 'picocolors';
import { run } from '../../src/cli/run.js';
import type { Terminal } from '../../src/cli/terminal.js';
import { Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { saveModel } from '../../src/onnx/save.node.js';

export interface Captured {
  code: number;
  out: string;
  err: string;
}

/** Runs the command line in this process and catches what it writes. */
export async function whittle(
  args: readonly string[],
  {
    width = 100,
    signal = new AbortController().signal,
    confirm,
  }: { width?: number; signal?: AbortSignal; confirm?: Terminal['confirm'] } = {},
): Promise<Captured> {
  const captured = { code: -1, out: '', err: '' };
  captured.code = await run(args, {
    out: text => {
      captured.out += text;
    },
    err: text => {
      captured.err += text;
    },
    width,
    colours: pc.createColors(false),
    errorColours: pc.createColors(false),
    signal,
    ...(confirm && { confirm }),
  });
  return captured;
}

/** Runs a test in a folder of its own that holds a small model, and removes it. */
export async function inFolder<T>(body: (folder: string, model: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'whittle-cli-'));
  try {
    const path = join(folder, 'model.onnx');
    await saveModel(smallModel(), path);
    return await body(folder, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Two layers with a Relu between them: (batch, 64) → (batch, 96) → (batch, 8). */
export function smallModel(): Model {
  const graph = new Graph('small');
  const x = graph.addInput('x', tensorType('float32', ['batch', 64]));
  const weight = (rows: number, columns: number, name: string) =>
    graph.constant(Tensor.float32([rows, columns], noise(rows * columns)), name);
  const hidden = graph.op('Relu', [
    graph.op('MatMul', [x, weight(64, 96, 'first.weight')], {}, { name: 'first' }),
  ]);
  const y = graph.op('MatMul', [hidden, weight(96, 8, 'second.weight')], {}, { name: 'second' });
  graph.addOutput(y, 'y');
  y.type = tensorType('float32', ['batch', 8]);
  return new Model(graph);
}

function noise(size: number): Float32Array {
  let state = 1;
  return new Float32Array(size).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
