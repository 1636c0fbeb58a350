/**
 * What a process takes that does nothing but load a file into ONNX Runtime and run it once, by the form of its weights
 * (`bytes`: peak of memory beyond the empty process, for each weight), against the same in float32 (`peer`; times are the
 * processor's, on one thread):
 *
 *   npx jiti bench/load-memory.ts [--only NAME] [--json] [--list]
 *
 * `matmul-…` are twelve products with 768 × 3072 weights, as in BERT-base, `table-…` its table of 30522 × 768. `…-pass` is
 * unpacked in one pass, `…-stages` as large models are written, `…-integers` stays in integers.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findSites, type Site } from '../src/calibrate/sites.js';
import { foldIntegers } from '../src/compress/forms/fold.js';
import { applyIntegers } from '../src/compress/forms/integers.js';
import { type PackedWeight, unpackInStages } from '../src/compress/forms/stages.js';
import type { QuantizedMatrix } from '../src/compress/rounding/quantizer.js';
import { Graph, Model, Tensor, tensorType } from '../src/graph/index.js';
import { removeDead } from '../src/graph/rewrite/index.js';
import { save } from '../src/onnx/files.node.js';
import { Random } from '../src/random/random.js';
import { type Case, type Loading, type Measurement, measureLoading, runBenchmark } from './harness.js';

const WEIGHTS = {
  matmul: { count: 12, dims: [768, 3072] },
  table: { count: 1, dims: [30522, 768] },
} as const;

type Kind = keyof typeof WEIGHTS;

/** Integers that are unpacked in one pass or in stages, or stay as they are. */
type Form = 'pass' | 'stages' | 'integers';

/** The sum of all that a batch of one makes of each weight. */
function floats(kind: Kind): Model {
  const { count, dims } = WEIGHTS[kind];
  const random = new Random(1);
  const graph = new Graph('weights');
  const x = graph.addInput(
    'x',
    kind === 'table' ? tensorType('int64', [1]) : tensorType('float32', [1, dims[0]]),
  );
  const data = repeated(
    Float32Array.from({ length: 2 ** 16 }, () => random.uniform(-0.5, 0.5)),
    dims,
  );
  const parts = Array.from({ length: count }, () => {
    const weight = graph.constant(Tensor.float32(dims, data), 'w');
    return kind === 'table' ? graph.op('Gather', [weight, x]) : graph.op('MatMul', [x, weight]);
  });
  graph.addOutput(
    parts.reduce((a, b) => graph.op('Add', [a, b])),
    'y',
  );
  const model = new Model(graph);
  model.opsets.set('', 17);
  model.irVersion = 8;
  return model;
}

/** As many numbers as a tensor has. */
function repeated<T extends Float32Array | Int8Array>(some: T, dims: readonly number[]): T {
  const size = dims.reduce((a, b) => a * b, 1);
  const all = some instanceof Float32Array ? new Float32Array(size) : new Int8Array(size);
  for (let at = 0; at < size; at += some.length) all.set(some.subarray(0, size - at), at);
  return all as T;
}

/** Integers as rounding would make them; nobody looks at what they stand for. */
function madeUp({ tensor, layout }: Site, bits: number): QuantizedMatrix {
  const random = new Random(bits);
  const [rows, cols] = layout.perm.map(axis => tensor.dims[axis]!) as [number, number];
  const block = 32;
  const some = Int8Array.from({ length: 2 ** 16 }, () => random.integer(2 ** bits) - 2 ** (bits - 1));
  return {
    format: { bits, block },
    rows,
    cols,
    paddedCols: cols,
    block,
    q: repeated(some, tensor.dims),
    scales: new Float32Array((rows * cols) / block).fill(0.01),
  };
}

function written(kind: Kind, bits: number, form: Form): Model {
  const model = floats(kind);
  const { graph, opset, opsets } = model;
  const packed: PackedWeight[] = [];
  for (const site of findSites(model)) {
    const quantized = madeUp(site, bits);
    const { value, tensor, uses, layout } = site;
    if (form === 'integers') {
      applyIntegers({ graph, value, uses, opset, opsets }, site, quantized);
      continue;
    }
    const known = new Set(graph.initializers);
    const target = { dims: tensor.dims, dtype: tensor.dtype, layout, opset };
    graph.replaceUses(value, foldIntegers(graph, quantized, target));
    packed.push({ constants: [...graph.initializers].filter(v => !known.has(v)), size: tensor.size });
  }
  removeDead(graph);
  if (form === 'stages') unpackInStages(graph, packed);
  return model;
}

function load(model: Model): Promise<Loading> {
  const folder = mkdtempSync(join(tmpdir(), 'whittle-bench-'));
  const file = join(folder, 'model.onnx');
  return save(model, file)
    .then(() => measureLoading(file))
    .finally(() => rmSync(folder, { recursive: true }));
}

const inFloats: Map<Kind, Loading> = new Map();

async function measure(kind: Kind, bits: number, form: Form): Promise<Measurement> {
  const peer = inFloats.get(kind) ?? (await load(floats(kind)));
  inFloats.set(kind, peer);
  const ours = await load(written(kind, bits, form));
  const { count, dims } = WEIGHTS[kind];
  const perWeight = ({ peak }: Loading) => Number((peak / (count * dims[0] * dims[1])).toPrecision(3));
  const extra = {
    bytes: perWeight(ours),
    peerBytes: perWeight(peer),
    'run ms': Number(ours.runMs.toPrecision(3)),
    'peer run ms': Number(peer.runMs.toPrecision(3)),
  };
  return { ms: ours.ms, peer: 'float32', peerMs: peer.ms, extra };
}

const cases = (['matmul', 'table'] as const).flatMap(kind =>
  [2, 3, 4, 5, 6, 7, 8].flatMap((bits): Case[] => {
    const forms: Form[] = kind === 'matmul' ? ['pass', 'stages'] : ['pass'];
    const kept = kind === 'matmul' ? [2, 4, 8] : [4, 8];
    if (kept.includes(bits)) forms.push('integers');
    return forms.map(form => ({
      name: `${kind}-${bits}-${form}`,
      run: () => measure(kind, bits, form),
    }));
  }),
);

await runBenchmark(cases);
