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

/** Runs a model once, single-threaded and so repeatable, and gives the bytes of its outputs by name. */
export async function outputsOf(
  model: string | Uint8Array,
  feeds: Record<string, ort.Tensor>,
): Promise<Record<string, { dims: readonly number[]; bytes: Uint8Array }>> {
  const options: ort.InferenceSession.SessionOptions = { intraOpNumThreads: 1, logSeverityLevel: 3 };
  const session =
    typeof model === 'string'
      ? await ort.InferenceSession.create(model, options)
      : await ort.InferenceSession.create(model, options);
  try {
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => {
        const { buffer, byteOffset, byteLength } = data as Float32Array;
        return [name, { dims, bytes: new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength).slice() }];
      }),
    );
  } finally {
    await session.release();
  }
}
