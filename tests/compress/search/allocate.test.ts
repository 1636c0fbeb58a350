import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateBytes, allocationFront } from '../../../src/compress/search/allocate.js';

const option = fc.record({ bytes: fc.integer({ min: 0, max: 50 }), cost: fc.integer({ min: 0, max: 50 }) });
const sites = fc.array(fc.array(option, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 });

/** Every combination of one option per site. */
function everyAllocation(options: { bytes: number; cost: number }[][]): { bytes: number; cost: number }[] {
  return options.reduce(
    (sums, list) => sums.flatMap(s => list.map(o => ({ bytes: s.bytes + o.bytes, cost: s.cost + o.cost }))),
    [{ bytes: 0, cost: 0 }],
  );
}

describe('allocation', () => {
  it('gives a front that no combination beats', () => {
    fc.assert(
      fc.property(sites, options => {
        const all = everyAllocation(options);
        for (const point of allocationFront(options)) {
          expect(all.some(a => a.bytes <= point.bytes && a.cost < point.cost)).toBe(false);
          expect(all.some(a => a.bytes < point.bytes && a.cost <= point.cost)).toBe(false);
        }
      }),
    );
  });

  it('reaches from the fewest bytes to the least cost', () => {
    fc.assert(
      fc.property(sites, options => {
        const all = everyAllocation(options);
        const front = allocationFront(options);
        expect(front[0]!.bytes).toBe(Math.min(...all.map(a => a.bytes)));
        expect(front.at(-1)!.cost).toBe(Math.min(...all.map(a => a.cost)));
      }),
    );
  });

  it('reports the bytes and cost of its choice, and keeps the budget', () => {
    fc.assert(
      fc.property(sites, fc.integer({ min: 0, max: 200 }), (options, budget) => {
        const result = allocateBytes(options, budget);
        const all = everyAllocation(options);
        if (!result) {
          expect(Math.min(...all.map(a => a.bytes))).toBeGreaterThan(budget);
          return;
        }
        const sum = (key: 'bytes' | 'cost') => result.choice.reduce((t, o, s) => t + options[s]![o]![key], 0);
        expect(result.bytes).toBe(sum('bytes'));
        expect(result.cost).toBe(sum('cost'));
        expect(result.bytes).toBeLessThanOrEqual(budget);
      }),
    );
  });
});
