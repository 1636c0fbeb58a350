import { describe, expect, it } from 'vitest';
import { scoreText } from '../../src/report/scores.js';

describe('scores', () => {
  it('differ in points where they are percentages', () => {
    const row = { name: 'exact', before: 78.3333, after: 68.75, betterIs: 'higher', unit: '%' } as const;
    expect(scoreText(row)).toEqual({
      before: '78.33%',
      after: '68.75%',
      difference: '−9.58 points',
      change: 'worse',
    });
  });

  it('get better downwards where lower is better', () => {
    const row = { name: 'perplexity', before: 5.68, after: 5.6, betterIs: 'lower' } as const;
    expect(scoreText(row)).toEqual({ before: '5.68', after: '5.60', difference: '−0.08', change: 'better' });
  });

  it('stay the same in spite of rounding', () => {
    const row = { name: 'f1', before: 0.3, after: 0.1 + 0.2, betterIs: 'higher' } as const;
    expect(scoreText(row)).toMatchObject({ difference: '±0', change: 'same' });
  });
});
