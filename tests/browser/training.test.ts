import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from './chromium.js';
import { ServedPage } from './served-page.js';
import { learn, type TrainingResult } from './training-page.js';

describe.skipIf(!chromiumPath)('training in a bundled page', () => {
  const updates = 4;
  let served: ServedPage;
  let expected: TrainingResult;

  beforeAll(async () => {
    served = await ServedPage.open('tests/browser/training-page.ts');
    expected = await learn('cpu', updates);
  });

  afterAll(() => served?.close());

  it.each(['wasm', 'webgpu'])(
    'has on %s the losses of Node',
    async provider => {
      const { losses, scores } = await served.page.evaluate(
        ([p, count]) => {
          const page = globalThis as unknown as {
            learn: (provider: string, updates: number) => Promise<TrainingResult>;
          };
          return page.learn(p, count);
        },
        [provider, updates] as const,
      );
      expect(losses).toHaveLength(updates);
      losses.forEach((loss, i) => expect(loss).toBeCloseTo(expected.losses[i]!, 2));
      scores.forEach((score, i) => expect(score).toBeCloseTo(expected.scores[i]!, 1));
      // Shaders take their time to compile where there is no GPU.
    },
    240_000,
  );

  it('learns', () => {
    expect(expected.losses.at(-1)).toBeLessThan(expected.losses[0]!);
    expect(new Set(expected.losses).size).toBe(updates);
  });
});
