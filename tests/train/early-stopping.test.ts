import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BestSoFar, type Goal } from '../../src/train/early-stopping.js';

const goals: Goal[] = [
  { metric: 'score', betterIs: 'higher' },
  { metric: 'score', betterIs: 'lower' },
];
const scores = fc.array(fc.double({ min: -10, max: 10 }), { maxLength: 30 });

it('the best is the first of the best numbers, whatever is no number', () => {
  fc.assert(
    fc.property(scores, fc.constantFrom(...goals), (values, goal) => {
      const best = new BestSoFar(goal);
      values.forEach((score, update) => void best.observe(update, { score }));
      const numbers = values.filter(value => !Number.isNaN(value));
      if (numbers.length === 0) {
        expect(best.best).toBeUndefined();
        return;
      }
      const value = goal.betterIs === 'higher' ? Math.max(...numbers) : Math.min(...numbers);
      expect(best.best!.value).toBeCloseTo(value, 12);
      expect(best.best!.update).toBe(values.indexOf(value));
    }),
  );
});

it('stops after so many evaluations without improvement, in parts as in one', () => {
  fc.assert(
    fc.property(scores, fc.constantFrom(...goals), fc.nat(4), fc.nat(30), (values, goal, patience, cut) => {
      const whole = new BestSoFar(goal, { patience });
      let parts = new BestSoFar(goal, { patience });
      values.forEach((score, update) => {
        if (update === cut) {
          const saved: unknown = JSON.parse(JSON.stringify(parts.save()));
          parts = new BestSoFar(goal, { patience });
          parts.restore(saved);
        }
        expect(parts.observe(update, { score })).toBe(whole.observe(update, { score }));
        expect(parts.shouldStop).toBe(whole.shouldStop);
        const since = update - (whole.best?.update ?? -1);
        expect(whole.shouldStop).toBe(since > patience);
      });
      expect(parts.best).toEqual(whole.best);
    }),
  );
});

it('reads what earlier versions saved, numbers that were none included', () => {
  const best = new BestSoFar(goals[0]!);
  best.restore({ best: { update: 9, value: null }, bad: 2, mark: null });
  expect(best.best).toBeUndefined();
  expect(best.observe(10, { score: -5 })).toBe(true);
});
