import type { EvalFunction, Runner } from 'whittle-nn/data';
import { cholesky, initLinalg, matmul, matrix, solveTriangular } from 'whittle-nn/linalg';
import { type Mail, mailSample, mails } from './mails.js';

/** Pulls the probe's weights to zero, so that it does not learn its mails by heart. */
const RIDGE = 1;

async function embed(runner: Runner, mail: Mail): Promise<Float32Array> {
  const outputs = await runner.run(mailSample(mail));
  return outputs[runner.outputs[0]!.name]!.toFloat32();
}

/** A linear probe by least squares: spam is 1, anything else −1. Returns a function of an embedding. */
async function trainProbe(reference: Runner, some: readonly Mail[]): Promise<(x: Float32Array) => number> {
  await initLinalg();
  const rows: Float32Array[] = [];
  for (const mail of some) rows.push(await embed(reference, mail));
  const width = rows[0]!.length;
  const x = matrix(Float64Array.from(rows.flatMap(row => [...row])), rows.length, width);
  const y = matrix(
    Float64Array.from(some, ({ spam }) => (spam ? 1 : -1)),
    rows.length,
    1,
  );
  const gram = matmul(x, x, { transposeA: true });
  for (let i = 0; i < width; i++) gram.data[i * gram.stride + i]! += RIDGE;
  const { l } = cholesky(gram);
  const half = solveTriangular(l, matmul(x, y, { transposeA: true }));
  const weights = solveTriangular(l, half, { transpose: true }).data;
  return embedding => embedding.reduce((sum, v, i) => sum + v * weights[i]!, 0);
}

/** What the original makes of the mails is computed once, however many models are compared with it. */
const originals = new WeakMap<
  Runner,
  Promise<{ probe: (x: Float32Array) => number; embeddings: Float32Array[] }>
>();

/**
 * Scores a sentence encoder on mails: `probe` (share that a linear probe, trained on the original's embeddings, tells
 * right as spam or not), `cosine` to the original's embeddings and its 5th percentile.
 */
const evaluate: EvalFunction = async (runner, { reference, onProgress, signal }) => {
  const tested = mails('test', 420);
  const about = async () => {
    const probe = await trainProbe(reference, mails('train', 800));
    const embeddings: Float32Array[] = [];
    for (const mail of tested) embeddings.push(await embed(reference, mail));
    return { probe, embeddings };
  };
  if (!originals.has(reference)) originals.set(reference, about());
  const { probe, embeddings } = await originals.get(reference)!;
  const cosines: number[] = [];
  let right = 0;
  for (const [i, mail] of tested.entries()) {
    signal?.throwIfAborted();
    const embedding = runner === reference ? embeddings[i]! : await embed(runner, mail);
    if (probe(embedding) > 0 === mail.spam) right++;
    cosines.push(cosine(embedding, embeddings[i]!));
    onProgress?.(i + 1, tested.length);
  }
  cosines.sort((a, b) => a - b);
  return {
    probe: {
      value: (100 * right) / tested.length,
      format: 'percent',
      description: 'mails told right as spam or not, by a linear probe on the original’s embeddings',
    },
    cosine: cosines.reduce((a, b) => a + b, 0) / cosines.length,
    cosine5: {
      value: cosines[Math.floor(0.05 * cosines.length)]!,
      description: '5th percentile of the cosine',
    },
  };
};

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

export default evaluate;
