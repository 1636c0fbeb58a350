import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { compressText } from '../../src/report/terminal/compress.js';
import { inspectText } from '../../src/report/terminal/inspect.js';
import { textTable, visibleLength } from '../../src/report/terminal/text.js';
import { exampleReport } from './example.js';
import { exampleInspection } from './inspection.js';

const plain = (width: number) => ({ width, colours: pc.createColors(false) });

/** The lines of the table, which comes first or second. */
const tableOf = (text: string) =>
  text
    .split('\n\n')
    .find(part => part.startsWith('Weight'))!
    .split('\n');

describe('terminal', () => {
  it.each([60, 80, 120])('fits its tables into %d characters', width => {
    for (const text of [
      compressText(exampleReport(), plain(width)),
      inspectText(exampleInspection(), plain(width + 20)),
    ]) {
      for (const line of tableOf(text)) expect(line.length).toBeLessThanOrEqual(width + 20);
    }
    for (const line of tableOf(compressText(exampleReport(), plain(width)))) {
      expect(line.length).toBeLessThanOrEqual(width);
    }
  });

  it('breaks sentences into lines, and loses no word of them', () => {
    const sentence = 'weights that stay are those whose gradients flow on';
    const lines = textTable(
      [{ heading: 'method' }, { heading: 'what it does', wraps: true }],
      [['grasp', sentence]],
      plain(40),
    ).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
    expect(lines.slice(1).join(' ').split(/\s+/).filter(Boolean)).toEqual(['grasp', ...sentence.split(' ')]);
  });

  it('shows the largest layers in their order and sums up the rest', () => {
    const report = exampleReport();
    const rows = tableOf(compressText(report, plain(160))).slice(1);
    expect(rows).toHaveLength(25);
    expect(rows.at(-1)).toContain(`${report.layers.length - 24} smaller layers`);
    const names = rows.slice(0, -1).map(row => row.split(' ')[0]!);
    const order = report.layers.map(layer => layer.weight);
    expect(names.map(name => order.indexOf(name))).toEqual(
      names.map(name => order.indexOf(name)).toSorted((a, b) => a - b),
    );
  });

  it('says sizes, scores and the verdict', () => {
    const report = exampleReport();
    const text = compressText(report, plain(160));
    expect(text).toContain('8.62 MB →');
    expect(text).toContain('71.5% → 71.0% (−0.5 points, higher is better)');
    expect(text.endsWith(report.verdict.slice(-20))).toBe(true);
  });

  it('says what recovery tried, and no more', () => {
    const found = { epochs: 12, samples: 16, before: 0.02, afterLayers: 0.02, after: 0.01 };
    const line = (layers?: number) => {
      const recovery = { how: 'distill' as const, ...(layers !== undefined && { layers }), ...found };
      return compressText(exampleReport({ recovery }), plain(200)).match(/Recovery.*/)![0];
    };
    expect(line(0)).toMatch(/\(no layer gained, 12 epochs of distillation: −50\.0%\)/);
    expect(line(3)).toMatch(/\(3 layers fitted anew: /);
    expect(line()).toMatch(/\(12 epochs of distillation: −50\.0%\)/);
  });

  it('colours only where asked, without changing the text', () => {
    const coloured = compressText(exampleReport(), { width: 100, colours: pc.createColors(true) });
    const lines = compressText(exampleReport(), plain(100)).split('\n');
    expect(coloured).toContain('\u001b[');
    expect(coloured.split('\n').map(visibleLength)).toEqual(lines.map(line => line.length));
  });

  it('lets no name of a model command the terminal', () => {
    const report = exampleReport();
    report.layers[5]!.weight = '\u001b[2Jgone';
    report.verification.outputs[0]!.name = '\u001b]0;title\u0007';
    const inspection = exampleInspection();
    inspection.weights[0]!.name = '\u001b[2Jgone';
    inspection.model.inputs[0]!.name = '\u009b31m';
    const text = compressText(report, plain(100)) + inspectText(inspection, plain(100));
    expect(text).not.toMatch(/[\u001b\u0007\u009b]/);
    expect(text).toContain('\ufffd[2Jgone');
  });
});
