import { describe, expect, it } from 'vitest';
import { nextThreshold } from '../../../src/methods/sparse/dsr.js';
import { cubicDensity } from '../../../src/methods/sparse/gradual.js';
import { levelsTo } from '../../../src/methods/sparse/lottery.js';
import { cosineFraction, dropSmallest, grow } from '../../../src/methods/sparse/rewire.js';
import { riglChange } from '../../../src/methods/sparse/rigl.js';
import { dropNearZero, setChange } from '../../../src/methods/sparse/set.js';
import { meanMomentum } from '../../../src/methods/sparse/sparse-momentum.js';

const f = (...values: number[]): Float32Array => Float32Array.from(values);

//                  0    1     2    3    4     5    6    7
const MASK = f(1, 1, 1, 1, 0, 0, 0, 1);
const WEIGHTS = f(0.9, -0.1, 0.2, -0.8, 0, 0, 0, 0.05);

describe('RigL', () => {
  it('drops the smallest weights and grows where the gradient is largest', () => {
    const gradient = f(9, 0, 0, 9, 0.3, -0.7, 0.5, 0);
    expect([...riglChange(MASK, WEIGHTS, gradient, 2)]).toEqual([1, 0, 1, 1, 0, 1, 1, 0]);
  });

  it('may grow what it dropped just now', () => {
    const gradient = f(0, 8, 0, 0, 0.3, -0.7, 0.5, 0);
    expect([...riglChange(MASK, WEIGHTS, gradient, 2)]).toEqual([1, 1, 1, 1, 0, 1, 0, 0]);
  });

  it('moves a share that falls along half a cosine', () => {
    expect(cosineFraction(0.3, 0, 75)).toBeCloseTo(0.3, 12);
    expect(cosineFraction(0.3, 25, 75)).toBeCloseTo((0.3 / 2) * (1 + Math.cos(Math.PI / 3)), 12);
    expect(cosineFraction(0.3, 75, 75)).toBeCloseTo(0, 12);
    expect(cosineFraction(0.3, 90, 75)).toBeCloseTo(0, 12);
  });
});

describe('SET', () => {
  it('drops the smallest positive and the largest negative weights', () => {
    // Of 0.9, 0.2, 0.05 one goes, of −0.1, −0.8 one.
    expect([...dropNearZero(MASK, WEIGHTS, 0.5)]).toEqual([1, 0, 1, 1, 0, 0, 0, 0]);
    expect([...dropNearZero(MASK, WEIGHTS, 0)]).toEqual([...MASK]);
  });

  it('grows as many at random, elsewhere', () => {
    const scores = f(0.99, 0.98, 0.97, 0.96, 0.2, 0.7, 0.5, 0.95);
    expect([...setChange(MASK, WEIGHTS, 0.5, scores)]).toEqual([1, 0, 1, 1, 0, 1, 1, 0]);
  });

  it('takes some back where there is no room elsewhere', () => {
    const mask = f(1, 1, 1, 1, 0);
    const after = setChange(mask, f(0.1, 0.2, -0.1, -0.2, 0), 0.5, f(0.3, 0.9, 0.4, 0.9, 0));
    expect([...after]).toEqual([0, 1, 1, 1, 1]);
  });
});

describe('DSR', () => {
  it('doubles or halves its threshold where it removed too few or too many', () => {
    expect(nextThreshold(0.1, 89, 100, 0.1)).toBe(0.2);
    expect(nextThreshold(0.1, 90, 100, 0.1)).toBe(0.1);
    expect(nextThreshold(0.1, 110, 100, 0.1)).toBe(0.1);
    expect(nextThreshold(0.1, 111, 100, 0.1)).toBe(0.05);
  });
});

describe('sparse momentum', () => {
  it('weighs layers by the momentum of the weights that are there', () => {
    expect(meanMomentum(MASK, f(1, -2, 3, 0, 99, 99, 99, 4))).toBe(2);
    expect(meanMomentum(f(0, 0), f(1, 1))).toBe(0);
  });
});

it('drop and grow by themselves', () => {
  expect([...dropSmallest(MASK, WEIGHTS, 3)]).toEqual([1, 0, 0, 1, 0, 0, 0, 0]);
  expect([...grow(MASK, f(9, 9, 9, 9, 1, 3, 2, 9), 2)]).toEqual([1, 1, 1, 1, 0, 1, 1, 1]);
  expect([...grow(MASK, f(9, 9, 9, 9, 1, 3, 2, 9), 2, f(0, 0, 0, 0, 0, 1, 0, 0))]).toEqual([
    1, 1, 1, 1, 1, 0, 1, 1,
  ]);
});

it('the cubic schedule begins dense and ends at the density', () => {
  expect(cubicDensity(0.1, 0)).toBe(1);
  expect(cubicDensity(0.1, 0.5)).toBeCloseTo(0.1 + 0.9 / 8, 12);
  expect(cubicDensity(0.1, 1)).toBe(0.1);
});

it('levels of a fifth each', () => {
  expect(levelsTo(0.8, 0.2)).toBe(1);
  expect(levelsTo(0.64, 0.2)).toBe(2);
  expect(levelsTo(0.1, 0.2)).toBe(11);
  expect(levelsTo(1, 0.2)).toBe(1);
  expect(() => levelsTo(0, 0.2)).toThrow(/density of 0 is never reached/);
  expect(() => levelsTo(0.5, 0)).toThrow(/never reached/);
});
