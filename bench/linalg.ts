/**
 * Times eigh and svd against LAPACK (numpy), ml-matrix and jax-js.
 *
 *   npm run bench:linalg                                  all cases, a table
 *   npm run bench:linalg -- --only svd-768 --json         one case
 *   npm run bench:linalg -- --cpu                         on a busy machine
 *
 * One matrix is decomposed on one thread and compared with LAPACK on one thread. The set `bert-base` runs on two
 * workers against LAPACK on two threads.
 */
import { createPool, eigh, matrix, singularValues, svd } from '../src/linalg/index.js';
import { Random } from '../src/random/random.js';
import {
  type Case,
  inTurns,
  type Measurement,
  peakMemory,
  resetPeakMemory,
  runBenchmark,
  time,
} from './harness.js';
import { Numpy, type Operation } from './peers/numpy.js';

type Shape = readonly [rows: number, cols: number];

const SIZES = [64, 128, 256, 512, 768, 1024, 1536, 2048];
const SHAPES: Shape[] = [...SIZES.map(n => [n, n] as const), [768, 3072], [4096, 1024]];

/** The two-dimensional weights of BERT-base by shape; the word embedding counts as 24 blocks of rows: 97 matrices. */
const BERT_BASE: Shape[] = [
  ...Array.from({ length: 12 }, (): Shape[] => [
    ...Array.from({ length: 4 }, (): Shape => [768, 768]),
    [768, 3072],
    [3072, 768],
  ]).flat(),
  [768, 768],
  ...Array.from({ length: 24 }, (): Shape => [1272, 768]),
];

/** Standard normal elements, the same on every run. */
function gaussian([rows, cols]: Shape) {
  const random = new Random(1);
  const data = Float64Array.from({ length: rows * cols }, () => random.normal());
  return matrix(data, rows, cols);
}

function symmetric(n: number) {
  const { data } = gaussian([n, n]);
  const sums = data.map((value, i) => value + data[(i % n) * n + Math.floor(i / n)]!);
  return matrix(sums, n, n);
}

const peers = new Map<number, Promise<Numpy | undefined>>();

function numpy(threads: number): Promise<Numpy | undefined> {
  if (!peers.has(threads)) peers.set(threads, Numpy.start(threads));
  return peers.get(threads)!;
}

/** Our function against LAPACK's, with the peak of resident memory of both processes. */
async function againstLapack(
  op: Operation,
  shapes: readonly Shape[],
  threads: number,
  ours: () => Promise<number>,
  seconds?: number,
): Promise<Measurement> {
  const lapack = await numpy(threads);
  resetPeakMemory();
  if (lapack) resetPeakMemory(lapack.pid);
  const times = await inTurns(ours, lapack && (() => lapack.time(op, shapes)), seconds);
  return {
    ...times,
    peer: lapack?.name ?? null,
    extra: { peakMiB: peakMemory(), peerPeakMiB: lapack ? peakMemory(lapack.pid) : null },
  };
}

const eighCases = SIZES.map(
  (n): Case => ({
    name: `eigh-${n}`,
    run: () => {
      const a = symmetric(n);
      return againstLapack('eigh', [[n, n]], 1, () => time(() => eigh(a)));
    },
  }),
);

const svdCases = SHAPES.map(
  ([rows, cols]): Case => ({
    name: rows === cols ? `svd-${rows}` : `svd-${rows}x${cols}`,
    run: () => {
      const a = gaussian([rows, cols]);
      return againstLapack('svd', [[rows, cols]], 1, () => time(() => svd(a)));
    },
  }),
);

const valuesCases = [256, 768].map(
  (n): Case => ({
    name: `values-${n}`,
    run: () => {
      const a = gaussian([n, n]);
      return againstLapack('values', [[n, n]], 1, () => time(() => singularValues(a)));
    },
  }),
);

/** Other JavaScript libraries, at the size the aim names. */
const libraryCases: Case[] = [
  {
    name: 'svd-512-ml-matrix',
    run: async () => {
      const { Matrix, SingularValueDecomposition } = await import('ml-matrix');
      const a = gaussian([512, 512]);
      const theirs = Matrix.from1DArray(512, 512, a.data);
      const times = await inTurns(
        () => time(() => svd(a)),
        () => time(() => new SingularValueDecomposition(theirs)),
      );
      return { ...times, peer: 'ml-matrix', extra: { peakMiB: null, peerPeakMiB: null } };
    },
  },
  {
    name: 'svd-512-jax-js',
    run: async () => {
      const { init, numpy: np } = await import('@jax-js/jax');
      await init('wasm'); // Node has no WebGPU
      const a = gaussian([512, 512]);
      const times = await inTurns(
        () => time(() => svd(a)),
        () =>
          time(async () => {
            const [u, s, vt] = np.linalg.svd(np.array(Float32Array.from(a.data)).reshape([512, 512]));
            await Promise.all([u.data(), s.data(), vt.data()]);
          }),
      );
      return { ...times, peer: 'jax-js (float32)', extra: { peakMiB: null, peerPeakMiB: null } };
    },
  },
];

const bertCase: Case = {
  name: 'bert-base',
  run: async () => {
    const pool = await createPool({ workers: 2 });
    // Warm: workers are up and their kernels optimized, as LAPACK's are.
    await pool.svdAll([gaussian([300, 300]), gaussian([300, 300])]);
    const matrices = BERT_BASE.map(gaussian);
    const lapack = await numpy(2);
    resetPeakMemory();
    if (lapack) resetPeakMemory(lapack.pid);
    const ms = await time(() => pool.svdAll(matrices, {}, { transfer: true }));
    const peak = peakMemory();
    pool.close();
    const peerMs = lapack ? await lapack.time('svd', BERT_BASE) : null;
    return {
      ms,
      peer: lapack?.name ?? null,
      peerMs,
      extra: { peakMiB: peak, peerPeakMiB: lapack ? peakMemory(lapack.pid) : null },
    };
  },
};

await runBenchmark([...eighCases, ...svdCases, ...valuesCases, ...libraryCases, bertCase]);
for (const peer of peers.values()) (await peer)?.stop();
