import { describe, expect, it } from 'vitest';
import { indexedSource } from '../../src/data/sample.js';
import { Tensor } from '../../src/graph/tensor.js';
import { prune } from '../../src/prune/prune.js';
import { Random } from '../../src/random/random.js';
import { smallInputs, smallModel } from '../compress/small-model.js';

const options = {
  flops: 0.5,
  importance: 'magnitude',
  // What is left to training is more, and quicker to test.
  refit: false,
  timing: false,
  threads: 1,
  samples: { calibration: 32, verification: 8 },
} as const;

describe('retraining after pruning', () => {
  it('brings the outputs nearer to the original’s on inputs that took no part, at the same size', async () => {
    const inputs = smallInputs(48);
    const fitted = await prune(smallModel(), { ...options, inputs });
    const trained = await prune(smallModel(), { ...options, inputs, retrain: 6 });
    const { retraining } = trained.report;
    expect(retraining!.after).toBeLessThan(0.5 * retraining!.before);
    expect(retraining).toMatchObject({ epochs: 6, samples: 8 });
    expect(trained.report.bytes.after).toBe(fitted.report.bytes.after);
    const cosineOf = ({ report }: typeof trained) => report.verification.outputs[0]!.cosine;
    expect(1 - cosineOf(trained)).toBeLessThan(0.8 * (1 - cosineOf(fitted)));
    expect(fitted.report.retraining).toBeUndefined();
  });

  it('takes samples that are batches, of different sizes too', async () => {
    const inputs = indexedSource({ description: 'batches' }, 24, index => {
      const [random, size] = [new Random(index), 2 + (index % 2)];
      const data = Float32Array.from({ length: size * 3 * 12 * 12 }, () => random.normal());
      return { image: Tensor.float32([size, 3, 12, 12], data) };
    });
    const { report } = await prune(smallModel(), { ...options, inputs, retrain: 2 });
    expect(report.retraining!.after).toBeLessThan(report.retraining!.before);
  });

  it('refuses numbers of passes that are none', async () => {
    await expect(prune(smallModel(), { ...options, inputs: smallInputs(), retrain: 1.5 })).rejects.toThrow(
      /whole number, not 1.5/,
    );
  });
});
