import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Order } from '../../src/datasets/order.js';

const options = fc.record({
  batchSize: fc.integer({ min: 1, max: 7 }),
  seed: fc.integer({ min: 0, max: 2 ** 40 }),
  shuffle: fc.boolean(),
  dropLast: fc.boolean(),
});

describe('an order', () => {
  it('visits every example once an epoch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 7, max: 40 }), options, (length, choice) => {
        const order = new Order(length, choice);
        for (let epoch = 0; epoch < 3; epoch++) {
          const seen: number[] = [];
          for (let i = 0; i < order.batchesPerEpoch; i++) {
            expect(order.epoch).toBe(epoch);
            seen.push(...order.next());
          }
          const expected = choice.dropLast ? length - (length % choice.batchSize) : length;
          expect(new Set(seen).size).toBe(expected);
          expect(seen).toHaveLength(expected);
          expect(Math.max(...seen)).toBeLessThan(length);
        }
      }),
    );
  });

  it('continues from a saved state exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 7, max: 40 }), options, fc.nat(30), (length, choice, steps) => {
        const order = new Order(length, choice);
        for (let i = 0; i < steps; i++) order.next();
        const resumed = new Order(length, { ...choice, seed: choice.seed + 1 });
        resumed.restore(JSON.parse(JSON.stringify(order.state)));
        for (let i = 0; i < 20; i++) expect(resumed.next()).toEqual(order.next());
      }),
    );
  });

  it('shuffles anew each epoch and for each seed', () => {
    const first = new Order(50, { batchSize: 50, seed: 1 });
    const other = new Order(50, { batchSize: 50, seed: 2 });
    const [a, b, c] = [first.next(), first.next(), other.next()];
    expect(a).not.toEqual(b);
    expect(a).not.toEqual(c);
  });

  it('refuses what cannot work', () => {
    expect(() => new Order(3, { batchSize: 4 })).toThrow(/do not fill a batch of 4/);
    expect(() => new Order(0, { batchSize: 1, dropLast: false })).toThrow(/0 examples/);
    expect(() => new Order(3, { batchSize: 0 })).toThrow(/positive/);
    const order = new Order(3, { batchSize: 1 });
    expect(() => order.restore({ seed: 0, epoch: 0, position: 4 })).toThrow(/dataset differs/);
  });
});
