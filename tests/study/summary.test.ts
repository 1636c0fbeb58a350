import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { studyPage } from '../../src/report/pages/study.js';
import { studyFigure } from '../../src/report/plot/study.js';
import { verdictOf } from '../../src/report/study.js';
import { studyMarkdown } from '../../src/report/study-markdown.js';
import { studySummary } from '../../src/report/study-summary.js';
import { studyText } from '../../src/report/terminal/study.js';
import { defineStudy, type Study } from '../../src/study/define.js';
import type { RunRecord } from '../../src/study/record.js';
import type { StudyReport } from '../../src/study/summary.js';
import { exampleRecord, exampleRecords, exampleReport, exampleStudy } from './example.js';

const train = () => {
  throw new Error('nothing is trained here');
};

const three: Study = defineStudy({
  title: 'Three arms',
  question: 'Which?',
  settings: {},
  metric: { figure: 'accuracy', betterIs: 'higher' },
  reference: 'a',
  arms: { a: { label: 'A', train }, b: { label: 'B', train }, c: { label: 'C', train } },
});

function run(arm: string, seed: number, accuracy: number): RunRecord {
  const record = exampleRecord('dense', seed);
  return { ...record, key: `${arm}-${seed}`, arm, figures: { accuracy }, curves: {} } as RunRecord;
}

const runs = (arm: string, values: readonly number[]) => values.map((value, seed) => run(arm, seed, value));
const verdicts = (report: StudyReport) => report.arms.flatMap(arm => verdictOf(report, arm) ?? []);

describe('what a study says', () => {
  it('is what its numbers support', () => {
    const records = [
      ...runs('a', [0.9, 0.91, 0.92]),
      ...runs('b', [0.95, 0.962, 0.97]),
      ...runs('c', [0.9, 0.92, 0.91]),
    ];
    const paired = defineStudy({ ...three, test: 'paired' });
    const report = exampleReport(records, { study: paired });
    // Differences of B: 5, 5.2, 5 points: mean 5.067, standard error 0.0667, t = 76 with 2 degrees of freedom.
    expect(report.arms[1]!.comparison).toMatchObject({ test: 'paired', degreesOfFreedom: 2, seeds: 3 });
    expect(report.arms[1]!.comparison!.p).toBeCloseTo(0.000173, 6);
    expect(report.arms[1]!.comparison!.corrected).toBeCloseTo(2 * report.arms[1]!.comparison!.p, 12);
    expect(verdicts(report)).toEqual([
      'B beats A by 5.07 ± 0.07 points (p < 0.001, 3 seeds).',
      'No difference between C and A can be told (0.00 ± 0.58 points, p = 1.00, 3 seeds).',
    ]);
    expect(studySummary(report)).toBe(verdicts(report).join(' '));
    const lower = { ...paired, metric: { figure: 'accuracy', betterIs: 'lower' } } as const;
    expect(verdicts(exampleReport(records, { study: lower }))[0]).toMatch(/^B loses to A by 5\.07/);
  });

  it('reads what chance does off all arms with the same seeds', () => {
    const records = [
      ...runs('a', [0.9, 0.91, 0.92]),
      ...runs('b', [0.95, 0.962, 0.97]),
      ...runs('c', [0.9, 0.92, 0.91]),
    ];
    const [, b, c] = exampleReport(records, { study: three }).arms;
    expect(b!.comparison).toMatchObject({ test: 'blocked', degreesOfFreedom: 4, seeds: 3 });
    expect(c!.comparison!.standardError).toBeCloseTo(b!.comparison!.standardError, 12);
    // C has a seed less: it neither joins the others nor is tested as they are.
    const fewer = exampleReport(records.slice(0, -1), { study: three });
    expect(fewer.arms.map(({ comparison }) => comparison?.test)).toEqual([undefined, 'paired', 'welch']);
    expect(studyMarkdown(fewer)).toContain('differences within each seed or Welch’s t-test');
  });

  it('corrects for the comparisons of a group, and compares nothing with null', () => {
    const arms = {
      a: { train },
      b: { train, group: 'One' },
      c: { train, group: 'Two' },
      d: { train, group: 'Two' },
      e: { train, group: 'Two', against: null },
    };
    const values = {
      a: [0.9, 0.91, 0.92],
      b: [0.95, 0.962, 0.97],
      c: [0.8, 0.7, 0.9],
      d: [0.93, 0.93, 0.95],
    };
    const records = Object.entries({ ...values, e: [0.1, 0.1, 0.1] }).flatMap(([arm, own]) => runs(arm, own));
    const report = exampleReport(records, { study: defineStudy({ ...three, arms, test: 'paired' }) });
    const [, b, c, d, e] = report.arms.map(({ comparison }) => comparison);
    expect(b!.corrected).toBe(b!.p);
    expect(d!.corrected).toBeCloseTo(2 * d!.p, 12);
    expect(c!.corrected).toBe(Math.max(c!.p, d!.corrected));
    expect(e).toBeUndefined();
    expect(studyMarkdown(report)).toContain('corrected for the comparisons of each group by Holm’s method');
  });

  it('names arms without a run under the table of the others', () => {
    const report = exampleReport([...runs('a', [0.9, 0.91]), ...runs('b', [0.95, 0.96])], { study: three });
    for (const text of [
      studyMarkdown(report),
      studyPage(report),
      studyText(report, { width: 100, colours: pc.createColors(false) }),
    ]) {
      expect(text).toContain('Not run: C.');
    }
    expect(studyMarkdown(report)).not.toContain('| C |');
    expect(studyMarkdown(exampleReport([], { study: three }))).toContain('| C |');
  });

  it('takes Welch’s test where seeds differ, and none for a single run', () => {
    const records = [...runs('a', [0.9, 0.91, 0.92]), ...runs('b', [0.95, 0.96]), ...runs('c', [0.99])];
    const report = exampleReport(records, { study: three });
    expect(report.arms.map(({ comparison }) => comparison?.test)).toEqual([undefined, 'welch', undefined]);
    expect(report.arms.map(({ missing }) => missing)).toEqual([0, 1, 2]);
    expect(verdicts(report)).toHaveLength(1);
    expect(studyPage(report)).toContain('3 runs are still to come.');
  });

  it('counts the seeds of an arm that has more of them', () => {
    const [name, ...others] = Object.keys(exampleStudy.arms) as [string, ...string[]];
    const study = {
      ...exampleStudy,
      seeds: 3,
      arms: { ...exampleStudy.arms, [name]: { ...exampleStudy.arms[name]!, seeds: 5 } },
    };
    const report = exampleReport(exampleRecords(study, [0, 1, 2, 3, 4]), { study, seeds: undefined });
    const runsOf = (arm: string) => report.arms.find(found => found.name === arm)!.runs.length;
    expect([runsOf(name), ...others.map(runsOf)]).toEqual([5, ...others.map(() => 3)]);
    expect(report.seeds).toEqual([0, 1, 2, 3, 4]);
    expect(studyMarkdown(report)).toContain('3 to 5 seeds (0, 1, 2, 3, 4)');
  });

  it('of nothing, or of one seed, is that nothing can be told', () => {
    expect(studySummary(exampleReport([], { study: three }))).toBe('Three arms: no run has ended yet.');
    const single = exampleReport([run('a', 0, 0.9), run('b', 0, 0.99)], { study: three });
    expect(studySummary(single)).toMatch(/^2 runs of Three arms; with fewer than two seeds/);
    for (const report of [single, exampleReport([], { study: three })]) {
      expect(studyPage(report)).toContain('</html>');
      expect(studyMarkdown(report)).toContain('# Three arms');
      expect(studyFigure(report)).toContain('</svg>');
    }
  });

  it('names winners and losers of many arms, each against its own rival', () => {
    const report = exampleReport();
    expect(report.arms.find(({ name }) => name === 'SI-10')!.comparison!.against).toBe('narrow-10');
    expect(studySummary(report)).toMatch(
      /^6 arms beat what they are compared with; .*Dense, narrower, 10% loses to Dense; 2 cannot be told apart \(Accuracy, 3 seeds\)\.$/,
    );
  });
});

describe('a report', () => {
  it('shows every run, and nothing of a file that could be markup', () => {
    const records = exampleRecords();
    const failed: RunRecord = {
      ...(({ figures: _, curves: __, ...head }) => head)(records[0] as RunRecord & { state: 'done' }),
      state: 'failed',
      reason: '<script>alert(1)</script>',
    };
    const page = studyPage(exampleReport([failed, ...records.slice(1)]));
    expect(page).toContain('Dense, seed 0, failed: &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page).not.toContain('<script>alert');
    // Rows of the arms' table and of the runs'.
    expect(page.match(/<tr>/g)).toHaveLength(1 + 11 + 1 + 32);
    expect(page).toContain('stable rank');
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('says where the study has changed since its runs', () => {
    expect(studyPage(exampleReport())).not.toContain('has changed since');
    expect(studyPage(exampleReport(undefined, { definition: 'other' }))).toContain('has changed since');
    expect(studyMarkdown(exampleReport(undefined, { definition: 'other' }))).toContain('has changed since');
  });

  it('draws every arm, with an axis or without', () => {
    const figure = studyFigure(exampleReport());
    expect(figure).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(figure).toContain('prefers-color-scheme: dark');
    expect(figure.match(/<g><title>/g)).toHaveLength(11);
    expect(figure.match(/class="line"/g)).toHaveLength(5);
    expect(figure).not.toMatch(/NaN|undefined|Infinity/);
    const rows = studyFigure(
      exampleReport([...runs('a', [0.9, 0.91]), ...runs('b', [0.9, 0.9])], { study: three }),
    );
    expect(rows.match(/<g><title>/g)).toHaveLength(2);
    expect(rows.match(/<circle/g)).toHaveLength(6);
    expect(rows).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('puts arms that are worse than it shows at its edge, and says so', () => {
    const accuracies = exampleReport().arms.map(({ figures }) => figures.accuracy!.mean);
    const worst = (Math.min(...accuracies) + Math.max(...accuracies)) / 2;
    const cut = exampleReport(exampleRecords(), {
      study: { ...exampleStudy, plot: { ...exampleStudy.plot!, worst } },
    });
    expect(studyFigure(exampleReport())).not.toContain('at the edge');
    const figure = studyFigure(cut);
    expect(figure).toMatch(/at the edge: below [\d.]+%/);
    const heights = [...figure.matchAll(/translate\([\d.]+ ([\d.]+)\)/g)].map(([, y]) => Number(y));
    expect(heights.filter(y => y === Math.max(...heights)).length).toBeGreaterThan(1);

    const inRows = studyFigure(
      exampleReport(exampleRecords(), { study: { ...exampleStudy, plot: { worst } } }),
    );
    expect(inRows).toContain('at the edge: below');
    const places = [...inRows.matchAll(/<circle class="dot" cx="([\d.]+)"/g)].map(([, x]) => Number(x));
    expect(places).toHaveLength(accuracies.length);
    expect(places.filter(x => x === Math.min(...places))).toHaveLength(
      accuracies.filter(y => y <= worst).length,
    );
  });

  it('is a table in Markdown', () => {
    const markdown = studyMarkdown(exampleReport());
    const rows = markdown.split('\n').filter(line => line.startsWith('|'));
    expect(rows).toHaveLength(2 + 11 + 2);
    expect(new Set(rows.map(row => row.split('|').length)).size).toBe(1);
    expect(markdown).toContain('whittle study example');
  });

  it('draws arms of one size side by side, and in rows where most have that size', () => {
    const marks = (report: StudyReport) =>
      [
        ...studyFigure(report).matchAll(/class="dot" d="[^"]*" transform="translate\((\S+) \S+\)" style/g),
      ].map(([, x]) => Number(x));
    const placed = marks(exampleReport()).slice(-exampleReport().arms.length);
    expect(placed).toHaveLength(11);
    expect(new Set(placed).size).toBe(11);
    const same = exampleRecords().filter(({ arm }) => arm === 'dense' || arm.endsWith('-10'));
    const figure = studyFigure(exampleReport(same));
    expect(figure).toContain('>Low-rank, SI+FD, 10%</text>');
    expect(figure).not.toContain('Parameters');
  });
});

describe('figures that some runs lack', () => {
  const study = defineStudy({
    ...three,
    metric: { figure: 'width', betterIs: 'lower', absent: '> 512' },
    columns: [{ figure: 'bits', absent: 'not reached' }, { figure: 'accuracy' }],
  });
  const withFigures = (arm: string, all: Record<string, number>[]): RunRecord[] =>
    all.map((figures, seed) => ({ ...run(arm, seed, 0.9), figures }) as RunRecord);
  const records = [
    ...withFigures('a', [{ width: 8, bits: 3 }, { width: 12, bits: 3 }, { width: 10 }]),
    ...withFigures('b', [{ accuracy: 0.5 }, { accuracy: 0.5 }, { accuracy: 0.5 }]),
    ...withFigures('c', [{ width: 12 }, { width: 13 }, {}]),
  ];
  const report = exampleReport(records, { study });

  it('are not averaged in, and the table says how many have them', () => {
    const rows = studyMarkdown(report)
      .split('\n')
      .filter(line => /^\| [ABC] /.test(line))
      .map(line => line.split('|').map(cell => cell.trim()));
    expect(rows.map(cells => cells[3])).toEqual(['10.0 ± 1.2', '> 512', '12.50 ± 0.50 (2 of 3, else > 512)']);
    expect(rows.map(cells => cells[6])).toEqual([
      '3 (2 of 3, else not reached)',
      'not reached',
      'not reached',
    ]);
    expect(rows.map(cells => cells[7])).toEqual(['–', '50.00 ± 0.00%', '–']);
    for (const text of [
      studyPage(report),
      studyText(report, { width: 200, colours: pc.createColors(false) }),
    ]) {
      expect(text).toMatch(/2 of 3, else (>|&gt;) 512/);
      expect(text).not.toMatch(/NaN|undefined/);
    }
    expect(studyFigure(report).match(/<g><title>/g)).toHaveLength(2);
  });

  it('are no reason to test the runs that have them', () => {
    expect(report.arms.map(({ comparison }) => comparison)).toEqual([undefined, undefined, undefined]);
    const complete = exampleReport(
      records.slice(0, 6).concat(withFigures('c', [{ width: 20 }, { width: 22 }, { width: 19 }])),
      { study },
    );
    expect(complete.arms[2]!.comparison).toMatchObject({ test: 'paired', seeds: 3 });
    expect(complete.arms[1]!.comparison).toBeUndefined();
  });
});

it('what made the runs is said once, with their commits', () => {
  const by = (seed: number, commit?: string): RunRecord => {
    const record = run('a', seed, 0.9);
    return { ...record, made: { ...record.made, ...(commit && { commit }) } };
  };
  const line = (records: RunRecord[]) => studyMarkdown(exampleReport(records, { study: three }));
  const text = line([by(0, 'aaaa'), by(1, 'bbbb+'), by(2, 'aaaa')]);
  expect(text).toContain('(commit aaaa, bbbb+), ONNX Runtime');
  expect(text.match(/ONNX Runtime/g)).toHaveLength(1);
  expect(line([by(0), by(1, 'aaaa')])).toContain('(commit unknown, aaaa)');
  expect(line([by(0), by(1)])).not.toContain('commit');
});
