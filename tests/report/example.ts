import type { CompressReport, LayerReport, ParetoPoint } from '../../src/compress/report.js';

/** A small recipe for numbers that look measured and are the same at every run. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const SHAPES: [op: string, shape: number[]][] = [
  ['Conv', [16, 3, 3, 3]],
  ['Conv', [32, 16, 1, 1]],
  ['Conv', [64, 32, 1, 1]],
  ['Conv', [64, 64, 1, 1]],
  ['Conv', [128, 64, 1, 1]],
  ['Conv', [128, 128, 1, 1]],
  ['Conv', [240, 128, 1, 1]],
  ...Array.from({ length: 5 }, () => ['Conv', [240, 240, 1, 1]] as [string, number[]]),
  ['Conv', [480, 240, 1, 1]],
  ['Conv', [480, 480, 1, 1]],
  ['Conv', [60, 480, 1, 3]],
  ['Conv', [120, 60, 1, 1]],
  ['MatMul', [120, 360]],
  ['MatMul', [120, 120]],
  ['MatMul', [120, 240]],
  ['MatMul', [240, 120]],
  ['MatMul', [120, 360]],
  ['MatMul', [120, 120]],
  ['MatMul', [120, 240]],
  ['MatMul', [240, 120]],
  ['Conv', [480, 120, 1, 1]],
  ['Conv', [60, 960, 1, 3]],
  ['Conv', [120, 60, 1, 1]],
  ['MatMul', [120, 6625]],
];

/** A made-up front to go with it. */
export function examplePareto(before: number): NonNullable<CompressReport['pareto']> {
  const point = (share: number, cosine: number, exact: number): ParetoPoint => ({
    bytes: Math.round(share * before),
    cosine,
    outputs: [
      {
        name: 'softmax_11.tmp_0',
        relativeError: Math.sqrt(2 * (1 - cosine)),
        cosine,
        cosine5: cosine,
        worst: [],
      },
    ],
    scores: [
      { name: 'exact match', before: 71.5, after: exact, betterIs: 'higher', unit: '%' },
      { name: 'character error rate', before: 2.49, after: 8 - exact / 13, betterIs: 'lower', unit: '%' },
    ],
    choices: [
      { label: 'int4 b32', layers: 21 },
      { label: 'int5 b64', layers: 12 },
    ],
  });
  return {
    points: [
      point(0.12, 0.91, 52),
      point(0.14, 0.973, 64),
      point(0.168, 0.991, 69.5),
      point(0.19, 0.9967, 71),
      point(0.23, 0.9989, 71.5),
      point(0.27, 0.9996, 71.5),
    ],
    methods: [
      { method: 'quantize', points: [point(0.14, 0.95, 0), point(0.19, 0.995, 0), point(0.27, 0.9996, 0)] },
      { method: 'lowrank', points: [point(0.25, 0.8, 0), point(0.5, 0.97, 0), point(0.74, 0.99, 0)] },
    ],
  };
}

/** A made-up report in the likeness of the text recognition model's: not a measurement of anything. */
export function exampleReport(changes: Partial<CompressReport> = {}): CompressReport {
  const random = sequence(7);
  const layers = SHAPES.map(([op, shape], i): LayerReport => {
    const elements = shape.reduce((a, b) => a * b, 1);
    const small = op === 'Conv' ? Math.min(shape[0]!, elements / shape[0]!) : Math.min(...shape);
    const large = elements / small;
    const decay = 1 + 5 * random();
    const spectrum = Array.from(
      { length: small },
      (_, k) => (3 * Math.exp((-decay * k) / small) * (1 + 0.02 * random())) / (1 + k / 8),
    );
    const rank = Math.max(1, Math.round(small * (0.1 + 0.4 * random() ** 0.5)));
    const before = elements * 4;
    const int8 = elements + 4 * large;
    const svd = rank * (small + large) + 4 * rank;
    const int4 = Math.ceil(elements / 2 + elements / 16);
    const [choice, after, error] =
      i === 0
        ? (['unchanged', before, 0] as const)
        : svd < int4 && svd < int8
          ? ([`svd int8, rank ${rank}`, svd, 0.036 + 0.012 * random()] as const)
          : random() < 0.3
            ? (['int4', int4, 0.03 + 0.019 * random()] as const)
            : random() < 0.12
              ? (['float16', elements * 2, 0.0004] as const)
              : (['int8', elements, 0.005 + 0.008 * random()] as const);
    return {
      weight: op === 'Conv' ? `conv2d_${i + 60}.w_0` : `linear_${i + 10}.w_0`,
      nodes: [`${op}.${i * 3}`],
      op,
      kind: op === 'Conv' ? (shape[2] === 1 && shape[3] === 1 ? 'conv1x1' : 'conv') : 'linear',
      shape,
      dtype: 'float32',
      bytesBefore: before,
      bytesAfter: after,
      choice,
      method: i === 0 ? 'none' : choice.startsWith('svd') ? 'svd+quantize' : 'quantize',
      reason: i === 0 ? 'too small to gain' : 'smallest that keeps the error',
      ...(choice.startsWith('svd') ? { rank } : {}),
      error,
      candidates:
        i === 0
          ? []
          : [
              { label: 'float16', bytes: elements * 2, error: 0.0004, keepsRule: true },
              { label: 'int8', bytes: elements, error: 0.009, keepsRule: true },
              { label: 'int4', bytes: int4, error: 0.071, keepsRule: choice === 'int4' },
              {
                label: `svd int8, rank ${rank}`,
                bytes: svd,
                error: 0.041,
                keepsRule: choice.startsWith('svd'),
              },
            ],
      spectrum,
    };
  });
  const before = layers.reduce((sum, layer) => sum + layer.bytesBefore, 412_310);
  const after = layers.reduce((sum, layer) => sum + layer.bytesAfter, 371_022);
  return {
    version: 1,
    date: '2026-03-14T09:26:53.000Z',
    whittle: '0.1.0',
    command:
      'npx whittle-nn compress ch_PP-OCRv4_rec_infer.onnx -o rec-small.onnx --calibration lines --eval read.ts',
    model: {
      path: 'ch_PP-OCRv4_rec_infer.onnx',
      name: 'ch_PP-OCRv4_rec_infer',
      opset: 11,
      producer: 'paddle2onnx 1.0.6',
      inputs: [{ name: 'x', dtype: 'float32', shape: [null, 3, 48, 'width'] }],
      outputs: [{ name: 'softmax_11.tmp_0', dtype: 'float32', shape: [null, 'width/8', 6625] }],
    },
    settings: { method: 'auto', error: 0.05, seed: 1, samples: 64, exclude: [] },
    verdict: `${(before / 1e6).toFixed(1)} MB became ${(after / 1e6).toFixed(2)} MB, ${((100 * after) / before).toFixed(0)}% of the original, and exact match went from 71.5% to 71.0%.`,
    unchanged: false,
    bytes: { before, after },
    budget: [],
    parameters: { before: 2_690_417, after: 2_512_360 },
    time: { beforeMs: 12.84, afterMs: 14.21, runs: 40, provider: 'cpu' },
    calibration: { source: '64 images of lines', samples: 64, generated: false },
    verification: {
      source: '136 images of lines',
      samples: 136,
      generated: false,
      outputs: [
        {
          name: 'softmax_11.tmp_0',
          relativeError: 0.0312,
          cosine: 0.99871,
          cosine5: 0.9962,
          top1: 0.9958,
          worst: [
            { sample: 87, cosine: 0.9713 },
            { sample: 12, cosine: 0.9788 },
            { sample: 133, cosine: 0.9846 },
          ],
        },
      ],
    },
    scores: [
      { name: 'exact match', before: 71.5, after: 71, betterIs: 'higher', unit: '%' },
      { name: 'character error rate', before: 2.49, after: 2.43, betterIs: 'lower', unit: '%' },
    ],
    worst: [
      {
        id: 'lines/087.png',
        expected: 'Total 1,204.50',
        before: 'Total 1,204.50',
        after: 'Total 1.204.50',
        change: -0.071,
      },
      {
        id: 'lines/012.png',
        expected: 'Invoice no. 7731',
        before: 'Invoice no. 7731',
        after: 'lnvoice no. 7731',
        change: -0.062,
      },
    ],
    layers,
    phases: [
      { name: 'calibrate', ms: 8210 },
      { name: 'choose', ms: 41_300 },
      { name: 'rewrite', ms: 620 },
      { name: 'verify', ms: 9400 },
    ],
    warnings: [],
    ...changes,
  };
}
