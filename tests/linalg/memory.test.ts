import { describe, expect, it } from 'vitest';
import { eighBytes, matmulBytes, qrBytes, svd, svdBytes } from '../../src/linalg/index.js';
import { instantiate, type Kernels } from '../../src/linalg/kernels.js';
import { gaussian, logspace, withSpectrum } from './matrices.js';

/** Bytes that a task takes from a fresh instance at its peak. */
function peakOf(task: (kernels: Kernels) => void): number {
  const kernels = instantiate();
  const before = kernels.mark();
  task(kernels);
  return kernels.peakBytes() - before;
}

/** A matrix in linear memory. */
function put(kernels: Kernels, data: Float64Array): number {
  const p = kernels.take(data.length);
  new Float64Array(kernels.memory.buffer, p, data.length).set(data);
  return p;
}

describe('memory forecast', () => {
  const spectra = {
    flat: (n: number) => gaussian(n, n, 1),
    graded: (n: number) => withSpectrum(n, n, logspace(0, -9, n)),
  };
  for (const [name, make] of Object.entries(spectra)) {
    it(`covers svd and is not far above it: ${name}`, () => {
      const n = 150;
      const a = make(n);
      for (const full of [false, true]) {
        const peak = peakOf(kernels => {
          const p = put(kernels, a.data);
          const [sigma, u, v] = [kernels.take(n), kernels.take(n * n), kernels.take(n * n)];
          kernels.gesdd(n, n, p, n, sigma, u, n, v, false);
        });
        expect(svdBytes(n, n, { full })).toBeGreaterThanOrEqual(peak);
        expect(svdBytes(n, n, { full })).toBeLessThan(2 * peak);
      }
    });
  }

  it('covers tall matrices, full bases, eigh, qr and products', () => {
    const [m, n] = [400, 60];
    const a = gaussian(m, n, 2).data;
    for (const columns of [n, m]) {
      const peak = peakOf(kernels => {
        const p = put(kernels, a);
        const [sigma, u, v] = [kernels.take(n), kernels.take(m * columns), kernels.take(n * n)];
        kernels.gesdd(m, n, p, n, sigma, u, columns, v, false);
      });
      expect(svdBytes(m, n, { full: columns === m })).toBeGreaterThanOrEqual(peak);
    }
    const square = gaussian(200, 200, 3).data;
    const eigh = peakOf(kernels => {
      const p = put(kernels, square);
      const [values, rows] = [kernels.take(200), kernels.take(200 * 200)];
      kernels.syevd(200, p, values, rows, 200, 0);
      kernels.take(200 * 200);
    });
    expect(eighBytes(200)).toBeGreaterThanOrEqual(eigh);
    const qr = peakOf(kernels => {
      const p = put(kernels, a);
      const [q, r, pivots] = [kernels.take(m * n), kernels.take(n * n), kernels.take(n)];
      kernels.qr(m, n, p, q, r, pivots);
    });
    expect(qrBytes(m, n)).toBeGreaterThanOrEqual(qr);
    const product = peakOf(kernels => {
      const [x, y, z] = [put(kernels, a), kernels.take(n * m), kernels.take(m * m)];
      kernels.gemm(m, m, n, 1, x, n, 1, y, m, 1, false, z, m);
    });
    expect(matmulBytes(m, n, m)).toBeGreaterThanOrEqual(product);
  });
});

describe('memory over time', () => {
  it('does not grow over ten thousand small decompositions', () => {
    const matrices = Array.from({ length: 50 }, (_, i) => gaussian(1 + (i % 12), 1 + ((i * 5) % 9), i));
    const expected = matrices.map(a => svd(a));
    for (let round = 0; round < 10_000; round++) {
      const i = round % matrices.length;
      const { s } = svd(matrices[i]!);
      if (round >= 9_950) expect(s).toEqual(expected[i]!.s);
    }
    const kernels = instantiate();
    const start = kernels.mark();
    const size = () => kernels.memory.buffer.byteLength;
    let settled = 0;
    for (let round = 0; round < 2000; round++) {
      const a = matrices[round % matrices.length]!;
      const n = Math.min(a.rows, a.cols);
      const m = Math.max(a.rows, a.cols);
      const p = put(kernels, a.data);
      kernels.gesdd(m, n, p, n, kernels.take(n), kernels.take(m * n), n, kernels.take(n * n), false);
      kernels.release(start);
      if (round === matrices.length) settled = size();
    }
    expect(kernels.mark()).toBe(start);
    expect(size()).toBe(settled);
  });
});
