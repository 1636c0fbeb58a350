import { describe, it } from 'vitest';
import { checkGradients } from './check.js';
import { DRAWS } from './draws/index.js';
import { Random } from './random.js';

describe('gradients at random shapes', () => {
  it.each(Object.entries(DRAWS))('%s', async (op, draw) => {
    for (let seed = 0; seed < 8; seed++) {
      const random = new Random(seed + 1000);
      const test = draw(random);
      try {
        await checkGradients(test, random);
      } catch (error) {
        const shapes = test.variables.map(v => `[${v.dims}]${v.symbolic ? ' symbolic' : ''}`).join(', ');
        throw new Error(`${op}, seed ${seed}, ${shapes}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
});
