import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GroupReport } from '../../src/prune/report.js';
import { barChart } from '../../src/report/plot/bars.js';
import { linePlot } from '../../src/report/plot/line.js';
import { removalPlot } from '../../src/report/plot/removal.js';
import { paretoFront, scatterPlot } from '../../src/report/plot/scatter.js';
import { spectrumPlot } from '../../src/report/plot/spectrum.js';

const about = {
  title: 'Size against quality',
  description: 'Smaller is to the left.',
  width: 400,
  height: 300,
};
const axes = { x: { label: 'Bytes' }, y: { label: 'Cosine', log: true } };

/** Every coordinate that an SVG draws at. */
const coordinates = (svg: string): number[] =>
  [...svg.matchAll(/\b(?:x|y|x1|x2|y1|y2|cx|cy|width|height)="([^"]*)"/g)].map(match => Number(match[1]));

describe('plots', () => {
  it('say what they show', () => {
    const svg = linePlot({
      ...about,
      ...axes,
      series: [
        {
          name: 'int8',
          points: [
            [1, 1],
            [2, 10],
          ],
        },
      ],
    }).text;
    expect(svg).toContain('role="img"');
    expect(svg).toContain('<title>Size against quality</title><desc>Smaller is to the left.</desc>');
    expect(svg).toContain('>int8</text>');
  });

  it('of removals have room for small losses', () => {
    const importance = { of: 'outputs' as const, gone: [8, 16], lost: [4e-6, 1.7e-5] };
    const group = { name: 'w', channels: 24, left: 24, importance } as GroupReport;
    const labels = [...removalPlot(group).text.matchAll(/text-anchor="end">([^<]+)</g)].map(
      ([, text]) => text,
    );
    expect(labels).toEqual(['0', '5e-6', '1e-5', '1.5e-5']);
  });

  it('draw only finite coordinates, whatever the data', () => {
    const number = fc.oneof(
      fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
      fc.double({ min: 1e-30, max: 1e30, noNaN: true }),
    );
    const point = fc.tuple(number, number);
    fc.assert(
      fc.property(fc.array(point, { maxLength: 8 }), points => {
        const plots = [
          linePlot({ ...about, ...axes, series: [{ name: 'a', points }] }),
          barChart({
            ...about,
            bars: points
              .map(([value]) => ({ label: 'b', value: Math.abs(value) || 0 }))
              .filter(b => Number.isFinite(b.value)),
            format: String,
          }),
          spectrumPlot({
            title: 's',
            values: points
              .map(p => Math.abs(p[0]) || 0)
              .filter(Number.isFinite)
              .sort((a, b) => b - a),
            rank: 1,
          }),
        ];
        for (const { text } of plots) {
          expect(text).not.toMatch(/NaN|Infinity/);
          expect(coordinates(text).every(Number.isFinite)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('mark every scatter point with its label', () => {
    const svg = scatterPlot({
      ...about,
      ...axes,
      front: 'highest',
      groups: [
        { name: 'quantize', points: [{ x: 1, y: 1, label: 'int8' }] },
        { name: 'svd', points: [{ x: 2, y: 2, label: 'rank 8' }] },
      ],
    }).text;
    expect(svg).toContain('<title>int8</title>');
    expect(svg).toContain('<title>rank 8</title>');
    expect(svg).toContain('class="front"');
  });

  it('mark the kept rank of a spectrum at its place', () => {
    const values = Array.from({ length: 101 }, (_, i) => 0.9 ** i);
    const svg = spectrumPlot({ title: 's', values, rank: 51, width: 242, height: 100 }).text;
    // The axis runs from 34 to 234 for 1 to 101.
    expect(/class="rank" x1="([\d.]+)"/.exec(svg)?.[1]).toBe('134');
  });

  it('keep on the Pareto front exactly what nothing else beats', () => {
    const points = fc.array(
      fc.record({ x: fc.integer({ min: 0, max: 9 }), y: fc.integer({ min: 0, max: 9 }) }),
    );
    fc.assert(
      fc.property(points, all => {
        const front = paretoFront(all, 'highest');
        const beaten = (p: { x: number; y: number }) =>
          all.some(q => q.x <= p.x && q.y >= p.y && (q.x < p.x || q.y > p.y));
        const key = (p: { x: number; y: number }) => `${p.x},${p.y}`;
        expect(new Set(front.map(key))).toEqual(new Set(all.filter(p => !beaten(p)).map(key)));
      }),
    );
  });
});
