/**
 * How long the forms of a weight take, against the float32 model in the same run (`peer`), on two threads.
 *
 *   npx jiti bench/forms.ts [--only NAME] [--json] [--list]
 *
 * `matmul-…` are single products of 64 rows, `conv-…` single convolutions; `…-wasm` run in ONNX Runtime Web. `rec`,
 * `det` (PP-OCRv4) and `resnet20` are whole models; `extra.cosine` is of their outputs on inputs not calibrated with.
 */
import calibrationInputs from '../examples/ocr/calibration.js';
import { detectionModel, recognitionModel } from '../examples/ocr/models.js';
import { findSites } from '../src/calibrate/sites.js';
import { Layer } from '../src/compress/layer.js';
import type { Method } from '../src/compress/method.js';
import { int8Dynamic } from '../src/compress/methods/int8-dynamic.js';
import { int8Static, observeStaticRanges } from '../src/compress/methods/int8-static.js';
import { integers } from '../src/compress/methods/integers.js';
import { lowrank } from '../src/compress/methods/lowrank.js';
import { spatial } from '../src/compress/methods/spatial.js';
import { compareOutputs } from '../src/compress/verify.js';
import { writeChoices } from '../src/compress/write.js';
import { cloneModel } from '../src/graph/clone.js';
import { Graph, Model, Tensor, tensorType, type Value } from '../src/graph/index.js';
import { inferShapes } from '../src/graph/infer/index.js';
import { foldAffine, fuseHardSigmoid, removeDead } from '../src/graph/rewrite/index.js';
import { initLinalg } from '../src/linalg/index.js';
import { cifarResNet, exportForInference } from '../src/nn/index.js';
import { upgradeOpset } from '../src/onnx/index.js';
import { loadModel } from '../src/onnx/load.node.js';
import { Random } from '../src/random/random.js';
import { compareSessions, createSession, type Provider, type Tensors } from '../src/runtime/index.js';
import { type Case, type Measurement, runBenchmark } from './harness.js';

const random = new Random(1);
const numbers = (dims: readonly number[]) =>
  Tensor.float32(
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );

function layer(
  dims: readonly number[],
  weight: readonly number[],
  build: (g: Graph, x: Value, w: Value) => Value,
) {
  const graph = new Graph('layer');
  const x = graph.addInput('x', tensorType('float32', dims));
  graph.addOutput(build(graph, x, graph.constant(numbers(weight), 'w')), 'y');
  const model = new Model(graph);
  model.opsets.set('', 17);
  model.irVersion = 8;
  inferShapes(model);
  return { model, feeds: { x: numbers(dims) } };
}

/** Every layer that the methods have a candidate of that label for, the first method first. */
function rewritten(
  model: Model,
  methods: readonly Method[],
  pick: (label: string, rank: number) => boolean,
): Model {
  const choice = new Map(
    findSites(model).flatMap(site => {
      const layer = new Layer(site);
      for (const method of methods) {
        const found = [...method.propose(layer)].find(c => pick(c.label, c.rank ?? 0));
        if (found) return [[site, { candidate: found, bytes: 0, error: 0 }] as const];
      }
      return [];
    }),
  );
  return writeChoices(model, choice);
}

async function measure(
  before: Model,
  after: Model,
  feeds: readonly Tensors[],
  provider: Provider,
): Promise<Measurement> {
  const a = await createSession(before, { threads: 2, provider });
  const b = await createSession(after, { threads: 2, provider });
  try {
    const outputs = await compareOutputs(a, b, feeds);
    const { a: peer, b: ours } = await compareSessions(a, b, feeds[0]!, { seconds: 3 });
    return {
      ms: ours.medianMs,
      peer: 'float32',
      peerMs: peer.medianMs,
      extra: { cosine: Number((outputs[0]!.cosine ?? Number.NaN).toPrecision(6)) },
    };
  } finally {
    await a.release();
    await b.release();
  }
}

const products = [
  ['dynamic', [int8Dynamic], () => true],
  ['int4-b32', [integers], (label: string) => label === 'int4 b32'],
  ['int8-b32', [integers], (label: string) => label === 'int8 b32'],
  ['rank-quarter', [lowrank], (_: string, rank: number) => rank === 80],
] as const satisfies readonly (readonly [
  string,
  readonly Method[],
  (label: string, rank: number) => boolean,
])[];

const providers = [
  ['', 'cpu'],
  ['-wasm', 'wasm'],
] as const;

const layers = providers.flatMap(([suffix, provider]): Case[] => [
  ...[
    [256, 768],
    [512, 1536],
    [1536, 512],
  ].flatMap(([k, n]) =>
    products.map(([name, methods, pick]) => ({
      name: `matmul-${k}x${n}-${name}${suffix}`,
      async run() {
        const { model, feeds } = layer([64, k!], [k!, n!], (g, x, w) => g.op('MatMul', [x, w]));
        const chosen = name === 'rank-quarter' ? nearest(k! * n!, k! + n!) : pick;
        return measure(model, rewritten(model, methods, chosen), [feeds], provider);
      },
    })),
  ),
  {
    name: `conv-64-spatial${suffix}`,
    async run() {
      const { model, feeds } = layer([1, 64, 56, 56], [64, 64, 3, 3], (g, x, w) =>
        g.op('Conv', [x, w], { pads: [1, 1, 1, 1] }),
      );
      return measure(
        model,
        rewritten(model, [spatial], (_, rank) => rank === 48),
        [feeds],
        provider,
      );
    },
  },
  {
    name: `conv-64-static${suffix}`,
    async run() {
      const { model, feeds } = layer([1, 64, 56, 56], [64, 64, 3, 3], (g, x, w) =>
        g.op('Conv', [x, w], { pads: [1, 1, 1, 1] }),
      );
      return measure(model, await inStatic(model, [feeds]), [feeds], provider);
    },
  },
]);

/** The rank nearest to a quarter of the break-even rank. */
const nearest =
  (size: number, perRank: number) =>
  (_: string, rank: number): boolean =>
    Math.abs(rank - (0.28 * size) / perRank) <= 4;

async function inStatic(model: Model, samples: readonly Tensors[]): Promise<Model> {
  const sites = findSites(model);
  const method = int8Static(await observeStaticRanges(model, sites, samples, { threads: 2 }));
  const choice = new Map(
    sites.flatMap(site =>
      [...method.propose(new Layer(site))].map(
        candidate => [site, { candidate, bytes: 0, error: 0 }] as const,
      ),
    ),
  );
  return writeChoices(model, choice);
}

function fused(model: Model): Model {
  const copy = cloneModel(model);
  inferShapes(copy);
  if (copy.opset < 13) upgradeOpset(copy, 13);
  fuseHardSigmoid(copy.graph);
  foldAffine(copy.graph);
  removeDead(copy.graph);
  return copy;
}

async function ocr(file: string) {
  const model = await loadModel(file === 'rec' ? recognitionModel : detectionModel);
  const { name } = model.graph.inputs[0]!;
  const shape = [null, 3, file === 'rec' ? 48 : null, null];
  const samples: Tensors[] = [];
  for await (const sample of calibrationInputs([{ name, dtype: 'float32', shape }]).samples())
    samples.push(sample);
  return { model, calibration: samples.slice(0, -4), heldOut: samples.slice(-4) };
}

const whole = (['rec', 'det'] as const).flatMap((file): Case[] => [
  {
    name: `${file}-fused`,
    async run() {
      const { model, heldOut } = await ocr(file);
      return measure(model, fused(model), heldOut, 'cpu');
    },
  },
  {
    name: `${file}-fused-static`,
    async run() {
      const { model, calibration, heldOut } = await ocr(file);
      return measure(model, await inStatic(fused(model), calibration), heldOut, 'cpu');
    },
  },
]);

const resnet = ([1, 0.5] as const).map(width => ({
  name: width === 1 ? 'resnet20-static' : 'resnet20-slim-static',
  async run() {
    const model = exportForInference(cifarResNet({ depth: 20, width }));
    inferShapes(model);
    const samples = Array.from({ length: 6 }, () => ({ pixel_values: numbers([8, 3, 32, 32]) }));
    return measure(model, await inStatic(model, samples.slice(2)), samples.slice(0, 2), 'cpu');
  },
}));

await initLinalg();
await runBenchmark([...layers, ...whole, ...resnet]);
process.exit(0);
