import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import ort from 'onnxruntime-node';

/** Every ONNX file that the installed npm packages have. */
export const MODELS: readonly string[] = readdirSync('node_modules', { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.onnx'))
  .map(name => join('node_modules', name))
  .sort();

/** Input shapes that a model accepts; a model that is missing here makes its test fail. */
const SHAPES: [pattern: RegExp, shapes: Record<string, number[]>][] = [
  [/PP-OCRv4_det/, { x: [1, 3, 64, 96] }],
  [/PP-OCRv4_rec/, { x: [2, 3, 48, 80] }],
  [/ppocr_mobile_v2.0_cls/, { x: [2, 3, 48, 192] }],
  [/silero_vad_legacy/, { input: [1, 1536], sr: [], h: [2, 1, 64], c: [2, 1, 64] }],
  [/silero_vad_v\d/, { input: [1, 512], state: [2, 1, 128], sr: [] }],
];

/** Feeds of fixed noise; the sample rate is one that the speech models know. */
export function feedsFor(path: string, sampleRate = 16000n): Record<string, ort.Tensor> {
  const shapes = SHAPES.find(([pattern]) => pattern.test(basename(path)))?.[1];
  if (!shapes) throw new Error(`no input shapes are known for ${path}`);
  let seed = 12345;
  const noise = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed / 2 ** 31 - 1;
  };
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      // The speech models want the same stretch of time.
      const dims = name === 'input' && sampleRate === 8000n ? [1, shape[1]! / 2] : shape;
      if (name === 'sr') return [name, new ort.Tensor('int64', [sampleRate], dims)];
      const size = dims.reduce((a, b) => a * b, 1);
      return [name, new ort.Tensor('float32', Float32Array.from({ length: size }, noise), dims)];
    }),
  );
}

export interface RunOptions {
  /** Whether ONNX Runtime may rewrite the graph, which changes the order of additions (default true). */
  optimize?: boolean;
}

/** Runs a model once, single-threaded and so repeatable. */
export async function run(
  model: string | Uint8Array,
  feeds: Record<string, ort.Tensor>,
  { optimize = true }: RunOptions = {},
): Promise<Record<string, ort.Tensor>> {
  const options: ort.InferenceSession.SessionOptions = {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    graphOptimizationLevel: optimize ? 'all' : 'disabled',
  };
  const session =
    typeof model === 'string'
      ? await ort.InferenceSession.create(model, options)
      : await ort.InferenceSession.create(model, options);
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** What a model gives, the bytes of each output as a hash: a difference of megabytes is nothing to print. */
export async function outputsOf(
  ...args: Parameters<typeof run>
): Promise<Record<string, { dims: readonly number[]; hash: string }>> {
  const hash = ({ data }: ort.Tensor) => {
    const { buffer, byteOffset, byteLength } = data as Float32Array;
    return createHash('sha256')
      .update(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength))
      .digest('hex');
  };
  return Object.fromEntries(
    Object.entries(await run(...args)).map(([name, output]) => [
      name,
      { dims: output.dims, hash: hash(output) },
    ]),
  );
}
