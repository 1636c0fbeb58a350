import type { PruneReport } from '../../src/prune/report.js';
import { exampleReport } from './example.js';

/** A made-up pruning: one group cut, one kept, one that is not exact. */
export function examplePruning(): PruneReport {
  const { calibration, verification, scores } = exampleReport();
  return {
    version: 1,
    date: '2026-03-01T12:00:00Z',
    whittle: '0.1.0',
    command: 'whittle prune rec.onnx --dry-run --flops 0.9',
    model: { path: 'rec.onnx', name: 'rec.onnx' },
    settings: { importance: 'reconstruction', allocation: 'global', refit: true, round: 8, seed: 0 },
    verdict: 'rec.onnx takes 90% of the operations.',
    target: { flops: 0.9 },
    met: true,
    bytes: { before: 10_800_000, after: 9_900_000 },
    parameters: { before: 2_690_000, after: 2_460_000 },
    flops: { before: 4e9, after: 3.58e9 },
    calibration,
    verification,
    scores,
    groups: [
      {
        name: 'conv1.weight[0]',
        channels: 480,
        left: 400,
        constants: [
          { name: 'conv1.weight', axis: 0, indices: 1 },
          { name: 'conv1.bias', axis: 0, indices: 1 },
          { name: 'bn.scale', axis: 0, indices: 1 },
          { name: 'bn.shift', axis: 0, indices: 1 },
          { name: 'conv2.weight', axis: 1, indices: 9 },
        ],
        importance: { of: 'outputs', gone: [40, 80, 160, 320], lost: [0.0004, 0.001, 0.01, 0.2] },
      },
      {
        name: 'kept.weight[0]',
        channels: 64,
        left: 64,
        constants: [{ name: 'kept.weight', axis: 0, indices: 1 }],
        importance: { of: 'outputs', gone: [8, 16], lost: [0.5, Number.NaN] },
      },
      {
        name: 'hidden[1]',
        channels: 120,
        left: 120,
        constants: [{ name: 'hidden', axis: 1, indices: 1 }],
        approximate: 'a normalization takes statistics over it',
      },
    ],
    blocks: ['/block2/Add'],
    phases: [{ name: 'prune study', ms: 8000 }],
    warnings: [],
  };
}
