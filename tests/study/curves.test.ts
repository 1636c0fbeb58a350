import { expect, it } from 'vitest';
import { curvesOf, type LogLine, medianStep } from '../../src/study/curves.js';

const step = (update: number, values: Record<string, number> = {}, seconds = update / 10): LogLine => ({
  kind: 'step',
  update,
  epoch: update / 100,
  seconds,
  ...values,
});

it('keeps evaluations whole, and of steps what is asked for', () => {
  const lines = [
    step(1, { loss: 2, 'rank/a': 5, 'rank/b': 6, other: 1 }),
    { ...step(1, { loss: 3, accuracy: 0.25 }), kind: 'evaluation' } as LogLine,
  ];
  expect(curvesOf(lines, ['loss', 'rank/*'])).toEqual({
    loss: [[1, 2]],
    'rank/a': [[1, 5]],
    'rank/b': [[1, 6]],
    'test loss': [[1, 3]],
    'test accuracy': [[1, 0.25]],
  });
  // A dot is a dot.
  expect(curvesOf([step(1, { 'a.b': 1, axb: 2 })], ['a.b'])).toEqual({ 'a.b': [[1, 1]] });
});

it('thins long curves to means, which keep a line a line', () => {
  const lines = Array.from({ length: 1000 }, (_, i) => step(i + 1, { loss: 3 * (i + 1) }));
  const { loss } = curvesOf(lines, ['loss']);
  expect(loss).toHaveLength(48);
  for (const [update, value] of loss!) expect(value).toBeCloseTo(3 * update, 9);
  const mean = loss!.reduce((sum, [, value]) => sum + value, 0) / 48;
  expect(mean).toBeCloseTo(1501.5, -1);
});

it('times a step by the median, whatever an evaluation or a stop takes', () => {
  const lines = [step(10, {}, 1), step(11, {}, 1.1), step(12, {}, 9), step(13, {}, 9.1), step(15, {}, 9.3)];
  expect(medianStep(lines)).toBeCloseTo(100, 6);
  expect(medianStep(lines.slice(0, 1))).toBeUndefined();
});
