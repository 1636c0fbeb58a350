import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { html } from '../../src/report/markup.js';
import { comparePage } from '../../src/report/pages/compare.js';
import { compressPage } from '../../src/report/pages/compress.js';
import { frontFigure } from '../../src/report/pages/front-figure.js';
import { inspectPage } from '../../src/report/pages/inspect.js';
import { prunePage } from '../../src/report/pages/prune.js';
import { scanPage } from '../../src/report/pages/scan.js';
import { sensitivityPage } from '../../src/report/pages/sensitivity.js';
import { SCRIPT, SCRIPT_HASH } from '../../src/report/script.js';
import { methodOf, toneOf } from '../../src/report/tone.js';
import { examplePareto, exampleReport } from './example.js';
import { exampleDimensions, exampleInspection } from './inspection.js';
import { examplePruning } from './pruning.js';
import { exampleComparison, exampleScan, exampleSensitivity } from './studies.js';

const HOSTILE = `"><script>alert(1)</script><img src=x onerror='alert(2)'>\u202e\u0000`;

/** Strings of any UTF-16 code units, lone surrogates included. */
const anyText = fc.array(fc.integer({ min: 0, max: 0xffff })).map(codes => String.fromCharCode(...codes));

/** The report with every string replaced, keys kept. */
function infect<T>(value: T): T {
  if (typeof value === 'string') return `${value}${HOSTILE}` as T;
  if (Array.isArray(value)) return value.map(infect) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, infect(inner)])) as T;
}

/** All tags of a page but those of its own head and script. */
const bodyOf = (page: string): string => page.slice(page.indexOf('<body>') + 6, page.lastIndexOf('<script>'));

describe('markup', () => {
  it('escapes what is put in, keeps markup, joins lists, leaves nothing out of nothing', () => {
    expect(html`<p title="${'"'}">${['<', html`<b>x</b>`, 3, null, false]}</p>`.text).toBe(
      '<p title="&quot;">&lt;<b>x</b>3</p>',
    );
  });

  it('lets no text open a tag or leave an attribute', () => {
    fc.assert(
      fc.property(anyText, text => {
        expect(html`${text}`.text).not.toMatch(/[<>"']/);
      }),
    );
  });
});

describe('pages', () => {
  it.each([
    ['compress', () => compressPage(infect({ ...exampleReport(), pareto: examplePareto(1e7) }))],
    ['scan', () => scanPage(infect(exampleScan()))],
    ['compare', () => comparePage(infect(exampleComparison()))],
    ['sensitivity', () => sensitivityPage(infect(exampleSensitivity()))],
    ['inspect', () => inspectPage(infect({ ...exampleInspection(), dimensions: exampleDimensions() }))],
    ['prune', () => prunePage(infect(examplePruning()))],
  ])('%s: hostile names stay text', (_name, make) => {
    const body = bodyOf(make());
    expect(body).toContain('&lt;script&gt;');
    expect(body).not.toMatch(/<script|<img|\u202e|\0/);
    // Outside of quotes no attribute but those that the pages write themselves.
    for (const [tag] of body.matchAll(/<[^>]*>/g))
      expect(tag.replace(/"[^"]*"/g, '')).not.toContain('onerror');
  });

  it('allow their own script and no other, and load nothing', () => {
    const hash = createHash('sha256').update(SCRIPT).digest('base64');
    expect(SCRIPT_HASH).toBe(`sha256-${hash}`);
    const page = compressPage(exampleReport());
    expect(page).toContain(`script-src '${SCRIPT_HASH}'`);
    expect(page).toContain(`<script>${SCRIPT}</script>`);
    expect(page).not.toMatch(/(?:src|href)="(?!data:)|@import|url\(/);
  });

  it('compress: says sizes, scores, layers, how to repeat it', () => {
    const report = exampleReport();
    const page = compressPage(report);
    expect(page).toContain(`<h1>${report.verdict.replaceAll(' MB', '\u00a0MB')}</h1>`);
    expect(page).toContain('8.62 MB');
    expect(page).toContain('−0.5 points');
    expect(page).toContain(report.command);
    for (const layer of report.layers) expect(page).toContain(layer.weight);
    expect(page).not.toContain('Made-up inputs');
    expect(page).not.toContain('NaN');
  });

  it('compress: says plainly that inputs were made up, and leaves out what is not there', () => {
    const { calibration, verification } = exampleReport();
    const { time: _, ...report } = exampleReport({
      calibration: { ...calibration, generated: true },
      verification: { ...verification, generated: true },
      scores: [],
      worst: [],
      phases: [],
      warnings: ['Mind the gap.'],
    });
    const page = compressPage(report);
    expect(page).toContain('Made-up inputs.');
    expect(page).toContain('Mind the gap.');
    expect(page).not.toContain('Your evaluation');
    expect(page).not.toContain('<h2>Speed</h2>');
  });

  it('compress: survives a report without layers and one with numbers that are none', () => {
    expect(compressPage(exampleReport({ layers: [] }))).not.toContain('<h2>Layers</h2>');
    const layers = exampleReport().layers.map(layer => ({ ...layer, error: Number.NaN, spectrum: [0, 0] }));
    const drawn = bodyOf(compressPage(exampleReport({ layers }))).replace(/data-key="NaN"/g, '');
    expect(drawn).not.toMatch(/="[^"]*NaN/);
    expect(drawn).toContain('not a number');
  });

  it('compress: shows the front with every method behind it, and where the budget lies', () => {
    const report = exampleReport();
    const withFront = {
      ...report,
      pareto: examplePareto(report.bytes.before),
      budget: [
        { bound: 'size ≤ 90%', limit: 9e6, measured: 8.6e6, held: true },
        { bound: 'cosine=0.999', limit: 0.999, measured: 0.99871, held: false },
      ],
      load: { beforeMs: 40, afterMs: 60, beforeBytes: 3e7, afterBytes: 3.1e7, runs: 3 },
      flops: { before: 2e9, after: 1.9e9 },
    };
    const body = bodyOf(compressPage(withFront));
    expect(body).toContain('quantize alone');
    expect(body).toContain('lowrank alone');
    expect(body).toContain('Size against exact match');
    expect(body).toContain('does not hold');
    expect(body).toContain('Time to load');
    expect(body).toContain('Operations of one run');
    // One dot a file, on the large and on the small drawing; once more for the score, which the example gives to all.
    expect(body.match(/class="dot"/g)).toHaveLength(2 * (6 + 3 + 3) + 2 * (6 + 3 + 3));
    expect(body).not.toMatch(/="[^"]*NaN/);
    expect(bodyOf(compressPage(report))).not.toContain('All sizes');
  });

  it('compress: gives intervals where there are any, and input views by index', () => {
    const report = exampleReport();
    report.verification.outputs[0]!.intervals = { cosine: [0.9981, 0.9991], top1: [0.99, 1] };
    const page = compressPage(report, {
      samples: new Map([
        [87, { image: 'data:image/png;base64,BBBB' }],
        [12, { text: 'a text' }],
      ]),
    });
    expect(page).toContain('0.9981 to 0.9991');
    expect(page).toContain('<img src="data:image/png;base64,BBBB" alt="input 87">');
    expect(page).toContain('a text');
  });

  it('compress: shows images only as data', () => {
    const report = exampleReport({ worst: [{ id: 'a', image: 'a.png', change: -1 }] });
    expect(bodyOf(compressPage(report))).not.toContain('<img');
    const images = new Map([['a.png', 'data:image/png;base64,AAAA']]);
    expect(compressPage(report, { images })).toContain('<img src="data:image/png;base64,AAAA"');
  });

  it('inspect: lists weights, files, operators', () => {
    const report = exampleInspection();
    const page = inspectPage(report);
    for (const weight of report.weights) expect(page).toContain(weight.name);
    expect(page).toContain('weights.bin');
    expect(page).toContain('shared by 2 nodes');
    expect(page).not.toContain('NaN');
  });
});

describe('the page of a pruning', () => {
  it('shows what went together, how much of it, and what channels are worth', () => {
    const body = bodyOf(prunePage(examplePruning()));
    expect(body).toContain('1 group of dimensions, 80 of their 480 channels');
    expect(body).toContain('2 groups kept whole');
    expect(body).toContain('conv2.weight</span>, axis 1, 9 at a time');
    expect(body).toContain('1 further constant');
    expect(body).toContain('a normalization takes statistics over it');
    expect(body).toContain('90% left; 89.5% are');
    expect(body).toContain('/block2/Add');
    // One curve for each group that was studied; only the cut one is shaded.
    expect(body.match(/What the channels of [^<]* are worth<\/title>/g)).toHaveLength(2);
    expect(body.match(/class="kept"/g)).toHaveLength(1);
    expect(body).not.toMatch(/="[^"]*NaN/);
  });

  it('says where nothing went, and where the share was not reached', () => {
    const report = examplePruning();
    const groups = report.groups.map(group => ({ ...group, left: group.channels }));
    const body = bodyOf(prunePage({ ...report, groups, met: false, blocks: [] }));
    expect(body).toContain('No channel went.');
    expect(body).toContain('the share was not reached');
    expect(body).not.toContain('Blocks that went');
  });

  it('inspect: shows the groups that can go, why others stay, and the blocks', () => {
    const report = exampleInspection();
    const body = bodyOf(inspectPage({ ...report, dimensions: exampleDimensions() }));
    expect(body).toContain('What can be pruned');
    expect(body).toContain('96');
    expect(body).toContain('it is a dimension of the input');
    expect(body).toContain('1 residual block can be left out: /block1/Add');
    expect(body).toContain('What channels are worth');
    expect(bodyOf(inspectPage(report))).not.toContain('What can be pruned');
  });
});

describe('the front as a picture', () => {
  const front = (points: readonly (readonly [number, number, number])[]) =>
    points.map(([bytes, cosine, exact]) => ({
      ...examplePareto(1e7).points[0]!,
      bytes,
      cosine,
      scores: [{ name: 'exact', before: 78, after: exact, betterIs: 'higher' as const, unit: '%' }],
    }));

  it('leaves out what is ruined and what is the same, and draws pruned versions beside the whole model', () => {
    const whole = front([
      [500_000, 0.6, 0],
      [1_000_000, 0.97, 70],
      [1_500_000, 0.99, 75],
      [2_000_000, 0.998, 78],
      [5_000_000, 0.999999, 78],
    ]);
    const pruned = front([
      [1_200_000, 0.98, 76],
      [1_800_000, 0.985, 77],
    ]).map(point => ({ ...point, pruned: 0.9 }));
    const points = [...whole, ...pruned].sort((a, b) => a.bytes - b.bytes);
    const picture = frontFigure({
      ...exampleReport(),
      pareto: {
        points,
        methods: [{ method: 'quantize', points: whole }],
        versions: [
          { pruned: 1, points: whole },
          { pruned: 0.9, points: pruned },
        ],
      },
    })!;
    expect(picture).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(picture).toContain('pruned to 90%');
    expect(picture).toContain('quantize alone');
    expect(picture).toContain('prefers-color-scheme: dark');
    expect(picture).toContain('max-width: 520px');
    expect(picture).not.toContain('NaN');
    expect(picture).not.toContain('500 kB');
    expect(picture).not.toContain('5.00 MB,');
    // Best of all, both versions and quantization, by likeness and by the score.
    expect(picture.match(/<path class="line( leading)?" d="M[^"]*L/g)).toHaveLength(8);
  });

  it('shows all of a short front, and nothing without one', () => {
    expect(frontFigure(exampleReport())).toBeUndefined();
    const points = front([[500_000, 0.6, 0]]);
    const picture = frontFigure({ ...exampleReport(), pareto: { points, methods: [] } })!;
    expect(picture).toContain('500 kB');
  });
});

describe('tones', () => {
  it('tell the family and the bits', () => {
    expect(toneOf('int8')).toBe('var(--quantize-2)');
    expect(toneOf('int4 b32')).toBe('var(--quantize-3)');
    expect(toneOf('float16')).toBe('var(--quantize-1)');
    expect(toneOf('svd int8, rank 48')).toBe('var(--lowrank-2)');
    expect(toneOf('unchanged')).toBe('var(--kept)');
    expect(toneOf('kronecker')).toBe('var(--other-1)');
    expect(methodOf('svd int8, rank 48')).toBe('svd int8');
  });
});
