import { describe, expect, it } from 'vitest';
import { Agreement } from '../../src/compress/agreement.js';
import { Tensor } from '../../src/graph/index.js';

const row = (...values: number[]): Tensor => Tensor.float32([1, values.length], Float32Array.from(values));

function agreementOf(pairs: readonly (readonly [expected: Tensor, actual: Tensor])[]) {
  const agreement = new Agreement('y');
  for (const [expected, actual] of pairs) agreement.add(expected, actual);
  return agreement.result;
}

describe('agreement of an output', () => {
  it('is the mean over inputs of their cosines', () => {
    const { cosine, cosine5, relativeError, worst } = agreementOf([
      [row(1, 0), row(2, 0)],
      [row(3, 4), row(4, 3)],
    ]);
    expect(cosine).toBeCloseTo((1 + 24 / 25) / 2, 12);
    expect(cosine5).toBeCloseTo(24 / 25, 12);
    expect(relativeError).toBeCloseTo(Math.sqrt((1 + 2) / (1 + 25)), 12);
    expect(worst.map(({ sample }) => sample)).toEqual([1, 0]);
  });

  it('of single numbers is that of all together: one by one they always point the same way', () => {
    const result = agreementOf([
      [row(0.1), row(0.9)],
      [row(0.9), row(0.1)],
    ]);
    expect(result.cosine).toBeCloseTo(0.18 / 0.82, 6);
    expect(result).not.toHaveProperty('cosine5');
    expect(result.worst).toEqual([]);
    expect(agreementOf([[row(0.4), row(0)]]).cosine).toBe(0);
  });

  it.each([
    ['more', row(3, 0), row(3, 0, 4)],
    ['fewer', row(3, 0, 4), row(3, 0)],
  ])('counts what one model lacks as zeros: %s numbers', (_, expected, actual) => {
    const result = agreementOf([[expected, actual]]);
    expect(result.cosine).toBeCloseTo(3 / 5, 6);
    expect(result.relativeError).toBeGreaterThan(0.5);
  });
});
