import type { CompareReport } from '../../src/compare/report.js';
import type { OutputAgreement } from '../../src/compress/report.js';
import type { ScanReport } from '../../src/compress/scan.js';
import type { SensitivityReport } from '../../src/compress/sensitivity-report.js';
import { exampleReport } from './example.js';

const output = (cosine: number): OutputAgreement => ({
  name: 'softmax',
  relativeError: Math.sqrt(2 * (1 - cosine)),
  cosine,
  cosine5: cosine,
  worst: [],
});

const { model, calibration } = exampleReport();
const common = {
  version: 1,
  date: '2026-03-14T09:26:53.000Z',
  whittle: '0.1.0',
  model,
  calibration,
  verification: { source: 'lines', samples: 16, generated: false },
  phases: [],
  warnings: ['Mind the gap.'],
} as const;

/** A made-up scan: not a measurement of anything. */
export function exampleScan(): ScanReport {
  const curve = (method: string, points: readonly (readonly [number, number, number])[]) => ({
    method,
    points: points.map(([value, share, cosine]) => ({
      value,
      bytes: Math.round(share * 10_822_323),
      cosine,
      outputs: [output(cosine)],
      scores: [{ name: 'exact', before: 71.5, after: 71.5 * cosine, betterIs: 'higher' as const, unit: '%' }],
    })),
  });
  return {
    ...common,
    command: 'whittle scan ch_PP-OCRv4_rec_infer.onnx --html scan.html',
    vary: 'error',
    bytes: 10_822_323,
    curves: [
      curve('svd', [
        [0.01, 1, 1],
        [0.05, 0.97, 0.9995],
        [0.2, 0.8, 0.97],
        [0.5, 0.45, 0.4],
      ]),
      curve('svd+quantize', [
        [0.01, 0.34, 0.9998],
        [0.05, 0.25, 0.9979],
        [0.2, 0.18, 0.93],
        [0.5, 0.13, 0.3],
      ]),
      curve('quantize', [
        [0.01, 0.33, 0.9999],
        [0.05, 0.26, 0.9991],
        [0.2, 0.16, 0.97],
        [0.5, 0.12, Number.NaN],
      ]),
    ],
    warnings: [...common.warnings],
    phases: [],
  };
}

/** A made-up ranking of layers, with the worst that can happen: infinite and undefined errors. */
export function exampleSensitivity(): SensitivityReport {
  const errors = [Number.NaN, Number.POSITIVE_INFINITY, 0.4, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0];
  return {
    ...common,
    command: 'whittle sensitivity model.onnx',
    level: '4-bit weights',
    bytes: 10_822_323,
    layers: errors.map((outputError, i) => ({
      weight: `conv2d_${i}.w_0`,
      nodes: [`Conv.${i}`],
      op: 'Conv',
      shape: [32, 16, 3, 3],
      position: ((7 * i) % errors.length) + 1,
      bytesBefore: 18_432,
      bytesAfter: 2_900,
      choice: 'int4 b32',
      error: 0.06,
      outputError,
      cosine: 1 - outputError ** 2 / 2,
      top1: 0.99,
      share: i === 2 ? 0.7 : 0.05,
    })),
    together: { bytes: 1_800_000, outputs: [output(0.97)] },
    skipped: ['conv2d_99.w_0'],
    warnings: [...common.warnings],
    phases: [],
  };
}

/** A made-up comparison of three models: not a measurement of anything. */
export function exampleComparison(): CompareReport {
  const model = (name: string, bytes: number) => ({
    name,
    producer: 'tool 1.0',
    nodes: 12,
    bytes,
    gzipBytes: 0.9 * bytes,
    load: { ms: 80, bytes: 2 * bytes, runs: 3 },
    time: { medianMs: 12, p10: 11, p90: 14, runs: 40 },
  });
  const score = (after: number) => ({
    name: 'exact',
    before: 71.5,
    after,
    betterIs: 'higher' as const,
    unit: '%',
  });
  const layer = (value: string, relativeError: number) => ({
    value,
    op: 'Conv',
    relativeError,
    cosine: 1 - relativeError,
  });
  return {
    version: 1,
    date: '2026-03-14T09:26:53.000Z',
    whittle: '0.1.0',
    command: 'whittle compare a.onnx b.onnx c.onnx',
    inputs: { source: '16 lines', samples: 16, generated: false },
    provider: 'cpu',
    models: [
      { ...model('a.onnx', 10_822_323), outputs: [], scores: [score(71.5)] },
      {
        ...model('b.onnx', 2_822_323),
        outputs: [output(0.998)],
        scores: [score(71.1)],
        drift: { layers: [layer('conv.1', 0.02), layer('conv.2', 0.06)], values: 9, samples: 4 },
      },
      {
        ...model('c.onnx', 5_822_323),
        outputs: [output(0.91)],
        scores: [score(60)],
        drift: { layers: [], values: 9, samples: 4 },
      },
    ],
    warnings: ['Mind the gap.'],
  };
}
