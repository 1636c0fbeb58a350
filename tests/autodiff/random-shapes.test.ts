import { describe, it } from 'vitest';
import { checkGradients } from './check.js';
import { DRAWS } from './draws/index.js';
import { Random } from './random.js';

/** `SEEDS=200 npx vitest run tests/autodiff/random-shapes.test.ts -t Resize` tries more. */
const SEEDS = Number(process.env.SEEDS ?? 8);

describe('gradients at random shapes', () => {
  it.each(Object.entries(DRAWS))(
    '%s',
    async (op, draw) => {
      for (let seed = 0; seed < SEEDS; seed++) {
        const random = new Random(seed + 1000);
        const test = draw(random);
        try {
          await checkGradients(test, random);
        } catch (error) {
          const shapes = test.variables.map(v => `[${v.dims}]${v.symbolic ? ' symbolic' : ''}`).join(', ');
          throw new Error(`${op}, seed ${seed}, ${shapes}: ${(error as Error).message}`, { cause: error });
        }
      }
    },
    5000 * SEEDS,
  );
});
