import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { standardNormalQuantile } from '../../src/random/normal.js';
import { Random } from '../../src/random/random.js';

describe('Random', () => {
  it('gives the same numbers for ever', () => {
    const random = new Random(42, 'conv1.weight');
    expect([random.uint32(), random.uint32(), random.uint32()]).toEqual(FIRST);
    expect(random.normal()).toBe(NORMAL);
  });

  it('is sfc32', () => {
    // Straight from the definition, with 64-bit integers cut to 32 bits.
    const random = Random.restore([1, 2, 3, 4]);
    let [a, b, c, counter] = [1n, 2n, 3n, 4n];
    const cut = (x: bigint) => x & 0xffffffffn;
    for (let i = 0; i < 100; i++) {
      const result = cut(a + b + counter);
      counter = cut(counter + 1n);
      a = b ^ (b >> 9n);
      b = cut(c + (c << 3n));
      c = cut(cut((c << 21n) | (c >> 11n)) + result);
      expect(random.uint32()).toBe(Number(result));
    }
  });

  it('continues from a saved state', () => {
    const random = new Random(7);
    random.uint32();
    const twin = Random.restore(JSON.parse(JSON.stringify(random.state)));
    expect(Array.from({ length: 9 }, () => twin.uint32())).toEqual(
      Array.from({ length: 9 }, () => random.uint32()),
    );
  });

  it('has unrelated streams for neighbouring seeds and names', () => {
    const draws = (seed: number, stream: string) => {
      const random = new Random(seed, stream);
      return Array.from({ length: 4000 }, () => random.uniform(-1, 1));
    };
    const base = draws(0, 'a');
    for (const other of [draws(1, 'a'), draws(0, 'b'), draws(2 ** 32, 'a'), draws(0, '')]) {
      // The correlation of independent streams has a standard deviation of 1/√4000.
      const correlation = base.reduce((sum, x, i) => sum + x * other[i]!, 0) / (4000 / 3);
      expect(Math.abs(correlation) * Math.sqrt(4000)).toBeLessThan(4);
    }
  });

  it('draws whole numbers and permutations without bias', () => {
    const random = new Random(3);
    const counts = new Array(6).fill(0);
    const orders = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      counts[random.integer(6)]++;
      const order = random.permutation(3).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(6);
    for (const observed of [counts, [...orders.values()]]) {
      // χ² with 5 degrees of freedom exceeds 25.7 once in 10 000.
      expect(observed.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(25.7);
    }
  });
});

describe('standardNormalQuantile', () => {
  it('agrees with tables to 14 digits', () => {
    // Φ⁻¹ from Python's statistics.NormalDist().inv_cdf
    for (const [p, z] of QUANTILES) {
      expect(Math.abs(standardNormalQuantile(p) / z - 1)).toBeLessThan(1e-14);
    }
    expect(standardNormalQuantile(0.5)).toBe(0);
  });

  it('is odd around one half', () => {
    for (let k = 1; k < 50; k++) {
      expect(standardNormalQuantile(1 - 2 ** -k)).toBe(-standardNormalQuantile(2 ** -k) + 0);
    }
  });

  it('grows with p', () => {
    const p = fc.double({ min: 1e-12, max: 1 - 1e-12, noNaN: true });
    fc.assert(
      fc.property(p, p, (a, b) => {
        if (a < b) expect(standardNormalQuantile(a)).toBeLessThanOrEqual(standardNormalQuantile(b));
      }),
    );
  });
});

const QUANTILES: readonly (readonly [number, number])[] = [
  [0.4, -0.2533471031357998],
  [0.25, -0.6744897501960817],
  [0.1, -1.2815515655446008],
  [0.05, -1.6448536269514726],
  [0.01, -2.3263478740408408],
  [0.001, -3.090232306167813],
  [1e-6, -4.753424308822899],
  [1e-9, -5.9978070150076865],
  [1e-11, -6.706023155495136],
];

const FIRST = [4000225198, 1221492095, 1521869298];
const NORMAL = 0.7709262637431663;
