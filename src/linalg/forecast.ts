/**
 * How much WebAssembly memory a decomposition takes, in bytes, before it starts. The tests hold these formulas against
 * the peak that the kernels report.
 */

/** Vectors, panels and rounding to cache lines. */
const SMALL = (longest: number) => 8 * (400 * longest + 40_000);

const bytesOf = (elements: number, longest: number) => 8 * elements + SMALL(longest);

/** `svd` of m × n: about 10 min(m, n)² + 4 m n numbers. */
export function svdBytes(m: number, n: number, options: { rank?: number; full?: boolean } = {}): number {
  const long = Math.max(m, n);
  const short = Math.min(m, n);
  const count = options.rank ?? short;
  const columns = options.full ? long : count;
  const input = (m < n ? 2 : 1) * m * n;
  const output = long * columns + short * count;
  const vectors = long * Math.max(short, columns) + short * short;
  const eigenproblem = 5 * short * short;
  const rotation = 2 * short * short + long * short;
  const sorting = long * columns + short * count;
  const complement = options.full ? long * short + 64 * columns : 0;
  return bytesOf(input + output + vectors + Math.max(eigenproblem, rotation, sorting, complement), long);
}

/** `singularValues` of m × n: no vectors, but for those of small values for a while. */
export function singularValuesBytes(m: number, n: number): number {
  const short = Math.min(m, n);
  return bytesOf((m < n ? 2 : 1) * m * n + short * (5 * short + Math.max(m, n)), Math.max(m, n));
}

/** `eigh` of n × n: 6 n² numbers. */
export function eighBytes(n: number, rank = n): number {
  return bytesOf(5 * n * n + n * rank, n);
}

/** `qr` of m × n. */
export function qrBytes(m: number, n: number): number {
  const k = Math.min(m, n);
  return bytesOf(2 * m * n + 2 * m * k + 2 * n * k, Math.max(m, n) + k);
}

/** `matmul` of m × k by k × n. */
export function matmulBytes(m: number, k: number, n: number): number {
  return bytesOf(m * k + k * n + m * n, Math.max(m, n));
}

/** Elements of a block of rows that `randomizedSvd` works on at once: 64 MiB. */
export const BLOCK_ELEMENTS = 2 ** 23;

/** `randomizedSvd` of m × n that follows `width` directions: a block of rows, or the thin QR of a tall factor. */
export function randomizedSvdBytes(m: number, n: number, width: number): number {
  const rows = Math.min(m, Math.max(1, Math.floor(BLOCK_ELEMENTS / n)));
  return Math.max(
    matmulBytes(rows, n, width) + 8 * n * width,
    qrBytes(Math.max(m, n), width),
    svdBytes(n, width),
  );
}
