import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from './chromium.js';
import { ServedPage } from './served-page.js';
import { learn, type TrainingResult } from './training-page.js';

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, v) => sum + v, 0) / numbers.length;

/** The mean loss of the last batches is well below that of the first. */
const expectLearning = ({ losses }: TrainingResult): void =>
  expect(mean(losses.slice(-4))).toBeLessThan(0.85 * mean(losses.slice(0, 4)));

describe.skipIf(!chromiumPath)('training in a bundled page', () => {
  const updates = 10;
  let served: ServedPage;
  let expected: TrainingResult;

  beforeAll(async () => {
    served = await ServedPage.open('tests/browser/training-page.ts');
    expected = await learn('cpu', updates);
  });

  afterAll(() => served?.close());

  it('learns in Node', () => expectLearning(expected));

  it.each(['wasm', 'webgpu'])(
    'learns on %s, with the losses and the exported file of Node',
    async provider => {
      const result = await served.page.evaluate(
        ([p, count]) => {
          const page = globalThis as unknown as {
            learn: (provider: string, updates: number) => Promise<TrainingResult>;
          };
          return page.learn(p, count);
        },
        [provider, updates] as const,
      );
      expect(result.losses).toHaveLength(updates);
      expectLearning(result);
      // Rounding alone is 2.4e-7, the last digit of float32; wrong gradients of filters moved the third loss by 3e-4.
      result.losses.forEach((loss, i) =>
        expect(Math.abs(loss - expected.losses[i]!), `loss ${i}`).toBeLessThan(1e-5),
      );
      result.scores.forEach((score, i) => expect(Math.abs(score - expected.scores[i]!)).toBeLessThan(1e-5));
      // Shaders take their time to compile where there is no GPU.
    },
    240_000,
  );
});
