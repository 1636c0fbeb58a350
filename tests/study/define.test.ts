import { describe, expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import { asStudy, type Study, seedsOf } from '../../src/study/define.js';
import { keyOf, planRuns } from '../../src/study/plan.node.js';
import { integer, text } from '../../src/train/config/settings.js';

const train = () => {
  throw new Error('nothing is trained here');
};
const derive = train;

const study = (changes: Partial<Study> = {}): Study => ({
  title: 'Title',
  question: 'Why?',
  settings: { epochs: integer(3), data: text('here') },
  places: ['data'],
  metric: { figure: 'accuracy', betterIs: 'higher' },
  reference: 'dense',
  arms: {
    dense: { train },
    narrow: { train },
    pruned: { needs: 'dense', derive },
    quantized: { needs: ['pruned', 'dense'], derive },
  },
  ...changes,
});

describe('a definition', () => {
  it('that makes sense is taken as it is', () => {
    const sound = study();
    expect(asStudy(sound, 'study.ts')).toBe(sound);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /describes no study \(file study\.ts\)\. Export default defineStudy/],
    ['a training', { settings: {}, build: train }, /describes no study/],
    ['no question', study({ question: '' }), /lacks a title or a question/],
    ['no metric', study({ metric: {} as Study['metric'] }), /does not say what decides/],
    ['no seeds', study({ seeds: 0 }), /seeds make no sense/],
    ['half a seed', study({ seeds: [0, 1.5] }), /seeds make no sense/],
    ['a seed twice', study({ seeds: [1, 1] }), /seeds make no sense/],
    [
      'no reference',
      study({ reference: 'wide' }),
      /no arm "wide".*Arms are dense, narrow, pruned, quantized/,
    ],
    ['an arm without a model', study({ arms: { dense: {} as never } }), /"dense" does not say how/],
    ['an arm with two', study({ arms: { dense: { train, derive } as never } }), /"dense" does not say how/],
    ['a name with a slash', study({ arms: { dense: { train }, '../a': { train } } }), /cannot name a folder/],
    [
      'a derived arm of nothing',
      study({ arms: { dense: { train }, a: { derive } } }),
      /derives its model from nothing/,
    ],
    [
      'an unknown need',
      study({ arms: { dense: { train, needs: 'teacher' } } }),
      /refers to "teacher", which is no arm/,
    ],
    [
      'an unknown rival',
      study({ arms: { dense: { train }, a: { train, against: 'b' } } }),
      /refers to "b", which is no arm/,
    ],
    [
      'a circle',
      study({
        arms: { dense: { train, needs: 'a' }, a: { train, needs: 'b' }, b: { train, needs: 'dense' } },
      }),
      /needs itself/,
    ],
  ])('with %s is refused', (_, exported, message) => {
    expect(() => asStudy(exported, 'study.ts')).toThrow(WhittleError);
    expect(() => asStudy(exported, 'study.ts')).toThrow(message);
  });
});

describe('seeds', () => {
  it('are counted from 0, listed, cut short or added to', () => {
    expect(seedsOf({})).toEqual([0, 1, 2]);
    expect(seedsOf({ seeds: 2 })).toEqual([0, 1]);
    expect(seedsOf({ seeds: [7, 1, 5] }, 2)).toEqual([7, 1]);
    expect(seedsOf({ seeds: [7, 1] }, 5)).toEqual([7, 1, 0, 2, 3]);
  });
});

describe('a plan', () => {
  const values = { epochs: 3, data: 'here' };

  it('goes seed by seed, what is needed first', () => {
    const plan = planRuns(study(), { values, seeds: [0, 1] });
    expect(plan.map(({ arm, seed }) => `${arm} ${seed}`)).toEqual([
      'dense 0',
      'narrow 0',
      'pruned 0',
      'quantized 0',
      'dense 1',
      'narrow 1',
      'pruned 1',
      'quantized 1',
    ]);
    plan.forEach(({ needs }, i) => {
      for (const key of needs) expect(plan.findIndex(run => run.key === key)).toBeLessThan(i);
    });
    expect(plan[7]!.needs).toEqual([plan[6]!.key, plan[4]!.key]);
  });

  it('gives an arm its own seeds, with what it needs, unless so many are asked for', () => {
    const base = study();
    const more = { ...base, arms: { ...base.arms, pruned: { ...base.arms.pruned!, seeds: 4 } } };
    const runs = (seeds?: readonly number[]) =>
      planRuns(more, { values, seeds }).map(({ arm, seed }) => `${arm} ${seed}`);
    expect(runs().slice(-2)).toEqual(['dense 3', 'pruned 3']);
    expect(runs().filter(run => run.startsWith('narrow'))).toEqual(['narrow 0', 'narrow 1', 'narrow 2']);
    expect(runs([0])).toEqual(['dense 0', 'narrow 0', 'pruned 0', 'quantized 0']);
  });

  it('of some arms holds what they need', () => {
    const plan = planRuns(study(), { values, seeds: [4], only: ['quantized'] });
    expect(plan.map(({ arm }) => arm)).toEqual(['dense', 'pruned', 'quantized']);
    expect(() => planRuns(study(), { values, seeds: [0], only: ['quantised'] })).toThrow(
      /no arm "quantised"\. Arms are dense, narrow/,
    );
  });

  it('names a run by all that decides its result, and by nothing else', () => {
    const key = (changes: Partial<Study> = {}, run = {}) =>
      keyOf(study(changes), { arm: 'pruned', seed: 0, values, ...run });
    const same = key();
    expect(same).toMatch(/^pruned-0-[0-9a-f]{12}$/);
    expect(key({}, { values: { data: 'there', epochs: 3 } })).toBe(same);
    expect(key({ title: 'Another', seeds: 9 })).toBe(same);
    const others = [
      key({}, { seed: 1 }),
      key({}, { values: { ...values, epochs: 4 } }),
      key({ version: 2 }),
      key({ arms: { ...study().arms, pruned: { needs: 'dense', derive, version: 2 } } }),
      // What it is derived from is another.
      key({ arms: { ...study().arms, dense: { train, version: 2 } } }),
    ];
    expect(new Set([same, ...others]).size).toBe(6);
  });
});
