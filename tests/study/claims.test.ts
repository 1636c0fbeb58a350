import fc from 'fast-check';
import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { studyPage } from '../../src/report/pages/study.js';
import { claimsSummary } from '../../src/report/study-claims.js';
import { studyMarkdown } from '../../src/report/study-markdown.js';
import { studySummary } from '../../src/report/study-summary.js';
import { studyText } from '../../src/report/terminal/study.js';
import { type Claim, type ClaimOutcome, type JudgedClaim, judgeClaims } from '../../src/study/claims.js';
import { type ComparedArm, compareArms } from '../../src/study/compare-arms.js';
import { asStudy, defineStudy, type Study } from '../../src/study/define.js';
import { exampleRecords, exampleReport, exampleStudy } from './example.js';

const HIGHER = { betterIs: 'higher' } as const;
const LOWER = { betterIs: 'lower' } as const;

/** Arms a, b, c of one group, the others against a. */
const armsOf = (values: readonly (readonly number[])[]): ComparedArm[] =>
  values.map((own, i) => ({
    name: 'abc'[i]!,
    ...(i > 0 && { against: 'a' }),
    values: new Map(own.map((value, seed) => [seed, value])),
  }));

/** Differences of every size: some are told, others are not. */
const threeArms = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 12 }),
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 3, maxLength: 3 }),
    ),
    { minLength: 3, maxLength: 3 },
  )
  .map(arms => armsOf(arms.map(([level, noise]) => noise.map(n => level + n / 10))));

const better = (arm: string, than: string | string[]): Claim => ({
  source: 'S',
  says: 's',
  better: arm,
  than,
});
const noWorse = (arm: string, than: string | string[]): Claim => ({
  source: 'S',
  says: 's',
  noWorse: arm,
  than,
});
const outcomes = (claims: readonly Claim[], arms: readonly ComparedArm[]): ClaimOutcome[] =>
  judgeClaims(claims, arms, HIGHER).map(({ outcome }) => outcome);

const FLIPPED: Readonly<Partial<Record<ClaimOutcome, ClaimOutcome>>> = {
  holds: 'contradicted',
  contradicted: 'holds',
};

describe('a claim', () => {
  it('about an arm whose runs lack the deciding figure cannot be told, and was run', () => {
    const arms = armsOf([[1, 2, 3], [4, 5, 6], []]);
    expect(outcomes([better('b', 'c')], arms)).toEqual(['not run']);
    const censored = arms.map(arm => ({ ...arm, runs: [0, 1, 2] }));
    expect(outcomes([better('b', 'c'), noWorse('b', 'c')], censored)).toEqual([
      'cannot be told',
      'cannot be told',
    ]);
  });

  it('has the opposite outcome when its arms are swapped, or when less is better', () => {
    const seen = new Set<ClaimOutcome>();
    fc.assert(
      fc.property(threeArms, arms => {
        const [outcome] = outcomes([better('b', 'c')], arms);
        seen.add(outcome!);
        const opposite = FLIPPED[outcome!] ?? outcome;
        expect(outcomes([better('c', 'b')], arms)).toEqual([opposite]);
        expect(judgeClaims([better('b', 'c')], arms, LOWER)[0]!.outcome).toBe(opposite);
      }),
    );
    expect([...seen].sort()).toEqual(['cannot be told', 'contradicted', 'holds']);
  });

  it('that an arm is no worse is contradicted or holds where one that it is better does, and never told else', () => {
    fc.assert(
      fc.property(threeArms, arms => {
        const [isBetter, isNoWorse] = outcomes([better('b', 'c'), noWorse('b', 'c')], arms);
        expect(isNoWorse).toBe(isBetter === 'cannot be told' ? 'not contradicted' : isBetter);
      }),
    );
  });

  it('about several arms holds where it does for each, and is contradicted by any', () => {
    fc.assert(
      fc.property(threeArms, arms => {
        const [together, alone, other] = [better('b', ['a', 'c']), better('b', 'a'), better('b', 'c')];
        const judged = judgeClaims([together], arms, HIGHER)[0]!;
        // The same two comparisons, and so the same correction.
        const each = outcomes([alone, other], arms);
        expect(judged.comparisons.map(({ against }) => against)).toEqual(['a', 'c']);
        expect(judged.outcome).toBe(
          each.includes('contradicted')
            ? 'contradicted'
            : each.every(outcome => outcome === 'holds')
              ? 'holds'
              : 'cannot be told',
        );
      }),
    );
  });

  it('is tested as the arms are, and corrected for all claims', () => {
    fc.assert(
      fc.property(threeArms, arms => {
        const [, rival] = compareArms(arms);
        const [one] = judgeClaims([better('b', 'a')], arms, HIGHER);
        const [many] = judgeClaims([better('b', 'a'), better('c', 'a'), better('b', 'c')], arms, HIGHER);
        const { corrected: _, ...tested } = rival!;
        expect(one!.comparisons[0]).toEqual({ ...tested, corrected: tested.p });
        expect(many!.comparisons[0]).toMatchObject(tested);
        expect(many!.comparisons[0]!.corrected).toBeGreaterThanOrEqual(tested.p);
      }),
    );
  });

  it('is not run without runs of both sides, and untold with too few', () => {
    const [a, b, c] = armsOf([[0, 0.1, 0.2], [1, 1.1, 1.21], []]);
    expect(outcomes([better('c', 'a'), noWorse('a', 'c')], [a!, b!, c!])).toEqual(['not run', 'not run']);
    // Some of the arms alone cannot bear a claim out, but contradict it.
    expect(outcomes([better('b', ['a', 'c']), better('a', ['b', 'c'])], [a!, b!, c!])).toEqual([
      'cannot be told',
      'contradicted',
    ]);
    const single = armsOf([[0.5], [0.9], [0.9]]);
    expect(outcomes([better('b', 'a'), noWorse('b', 'a')], single)).toEqual([
      'cannot be told',
      'cannot be told',
    ]);
  });

  it('across groups takes the two arms alone', () => {
    const values = (base: number) => new Map([0, 1, 2].map(seed => [seed, base + 0.1 * seed ** 2]));
    const arms: ComparedArm[] = [
      { name: 'a', values: values(0) },
      { name: 'b', against: 'a', group: 'one', values: values(1) },
      { name: 'c', against: 'a', group: 'two', values: values(2) },
    ];
    expect(judgeClaims([better('c', 'b')], arms, HIGHER)[0]!.comparisons[0]!.test).toBe('paired');
  });
});

describe('the claims of a study', () => {
  const train = () => {
    throw new Error('nothing is trained here');
  };
  const study = (claims: unknown): Study =>
    defineStudy({
      title: 'T',
      question: 'Q?',
      settings: {},
      metric: { figure: 'accuracy', betterIs: 'higher' },
      reference: 'a',
      arms: { a: { train }, b: { train } },
      claims: claims as Claim[],
    });

  it('are taken as they are where they make sense', () => {
    const sound = study([better('a', 'b'), noWorse('b', ['a'])]);
    expect(asStudy(sound, 'study.ts')).toBe(sound);
  });

  it.each<[string, unknown, RegExp]>([
    ['no list', { source: 'S' }, /claims are no list/],
    ['no source', [{ says: 's', better: 'a', than: 'b' }], /lacks its source or what it says/],
    ['no subject', [{ source: 'S', says: 's', than: 'b' }], /"s" does not say which arm/],
    ['two subjects', [{ ...better('a', 'b'), noWorse: 'a' }], /"s" does not say which arm/],
    ['nothing to compare with', [better('a', [])], /"s" compares with nothing/],
    ['an unknown arm', [better('a', ['b', 'c'])], /refers to "c", which is no arm.*Arms are a, b/],
    ['itself', [better('a', ['b', 'a'])], /compares "a" with itself/],
  ])('with %s are refused', (_, claims, message) => {
    expect(() => asStudy(study(claims), 'study.ts')).toThrow(message);
  });
});

describe('a report', () => {
  const claims: Claim[] = [
    {
      source: 'One et al. 2020',
      says: 'plain <low> rank beats SI + FD',
      better: 'plain-10',
      than: 'SI+FD-10',
    },
    { source: 'Two 2021', says: 'SI helps', better: 'SI-10', than: ['plain-10', 'narrow-10'] },
    { source: 'Two 2021', says: 'FD is as good as SI', noWorse: 'FD-25', than: 'SI-25' },
  ];
  const report = exampleReport(undefined, { study: { ...exampleStudy, claims } });

  it('names what it contradicts and bears out first', () => {
    expect(report.claims.map(({ outcome }) => outcome)).toEqual([
      'contradicted',
      'holds',
      'not contradicted',
    ]);
    expect(studySummary(report)).toBe(
      'Contradicts One et al. 2020: plain <low> rank beats SI + FD. Bears out Two 2021: SI helps. ' +
        'Of 3 claims 1 is not contradicted. ' +
        'Arms against their rivals: 6 better, 2 worse, 2 cannot be told apart (Accuracy, 3 seeds).',
    );
    expect(JSON.parse(JSON.stringify(report)).claims).toEqual(report.claims);
  });

  it('counts what it does not name', () => {
    const of = (...judged: ClaimOutcome[]) =>
      claimsSummary({ claims: judged.map(outcome => ({ source: 'S', says: 's', outcome }) as JudgedClaim) });
    expect(of()).toBeUndefined();
    expect(of('cannot be told', 'cannot be told')).toBe('None of 2 claims can be told.');
    expect(of('contradicted', 'holds', 'holds', 'holds', 'not run')).toBe(
      'Contradicts S: s. Of 5 claims 3 hold, 1 was not run.',
    );
  });

  it('shows them with their comparisons, in all its forms', () => {
    const markdown = studyMarkdown(report);
    expect(markdown).toMatch(
      /\| Plain <low> rank beats SI \+ FD \| One et al\. 2020 \| contradicted \| −.* points, Low-rank, plain, 10% against Low-rank, SI\+FD, 10% \|/,
    );
    expect(markdown).toMatch(/\n\| {2}\| {2}\| {2}\| \+.* against Dense, narrower, 10% \|/);
    const page = studyPage(report);
    expect(page).toContain('Plain &lt;low&gt; rank beats SI + FD');
    expect(page).toContain('<span class="bad">contradicted</span>');
    for (const width of [60, 80, 160]) {
      const text = studyText(report, { width, colours: pc.createColors(false) });
      expect(text).toContain('not contradicted');
      expect(text).toMatch(/· to\s+Dense,/);
      const table = text.split('\n\n').find(part => part.startsWith('Claim'))!;
      for (const line of table.split('\n')) expect(line.length).toBeLessThanOrEqual(width);
    }
    for (const text of [markdown, page]) {
      expect(text).toContain('What the sources say');
      expect(text).toContain('corrected for the 4 comparisons here');
      expect(text).not.toMatch(/undefined|NaN/);
    }
  });

  it('says which were not run, and nothing of claims where a study has none', () => {
    const some = exampleRecords().filter(({ arm }) => !arm.endsWith('-10'));
    const partly = exampleReport(some, { study: { ...exampleStudy, claims } });
    expect(partly.claims.map(({ outcome }) => outcome)).toEqual(['not run', 'not run', 'not contradicted']);
    expect(studySummary(partly)).toMatch(/^Of 3 claims 1 is not contradicted, 2 were not run\. Arms against/);
    expect(studyMarkdown(partly)).not.toMatch(/undefined|NaN/);
    for (const text of [studyMarkdown(exampleReport()), studyPage(exampleReport())]) {
      expect(text).not.toContain('What the sources say');
    }
  });
});
