import { expect, it } from 'vitest';
import { parseQuality } from '../../src/compress/budget.js';
import { holds, holdsSurely } from '../../src/compress/quality.js';

const output = { name: 'y', relativeError: 0.04, cosine: 0.996, cosine5: 0.99, top1: 0.97, worst: [] };

const measured = (intervals: object) => ({ outputs: [{ ...output, intervals }], scores: [] });

it.each([
  ['cosine=0.995', { cosine: [0.9955, 0.9965] }, true],
  ['cosine=0.995', { cosine: [0.9945, 0.9975] }, false],
  ['error<=0.05', { relativeError: [0.03, 0.049] }, true],
  ['error<=0.05', { relativeError: [0.03, 0.051] }, false],
  ['agree=0.96', { top1: [0.95, 0.99] }, false],
  // Too few inputs for an interval.
  ['agree=0.96', {}, true],
])('%s holds surely by the unfavourable end of its interval %j: %s', (text, intervals, expected) => {
  const bound = parseQuality(text);
  expect(holds(bound, measured(intervals))).toBe(true);
  expect(holdsSurely(bound, measured(intervals))).toBe(expected);
});
