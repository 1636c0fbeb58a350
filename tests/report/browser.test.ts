import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compressPage } from '../../src/report/pages/compress.js';
import { inspectPage } from '../../src/report/pages/inspect.js';
import { prunePage } from '../../src/report/pages/prune.js';
import { scanPage } from '../../src/report/pages/scan.js';
import { sensitivityPage } from '../../src/report/pages/sensitivity.js';
import { chromiumPath } from '../browser/chromium.js';
import { examplePareto, exampleReport } from './example.js';
import { exampleDimensions, exampleInspection } from './inspection.js';
import { examplePruning } from './pruning.js';
import { exampleScan, exampleSensitivity } from './studies.js';

describe.skipIf(!chromiumPath)('pages in Chromium', () => {
  let browser: Browser;
  let page: Page;
  const messages: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: chromiumPath!,
      args: ['--no-sandbox', '--disable-gpu'],
    });
    page = await browser.newPage();
    page.on('console', message => messages.push(message.text()));
    page.on('pageerror', error => messages.push(error.message));
  });
  afterAll(() => browser?.close());

  it.each([
    ['compress', () => compressPage({ ...exampleReport(), pareto: examplePareto(1e7) })],
    ['scan', () => scanPage(exampleScan())],
    ['sensitivity', () => sensitivityPage(exampleSensitivity())],
    ['inspect', () => inspectPage({ ...exampleInspection(), dimensions: exampleDimensions() })],
    ['prune', () => prunePage(examplePruning())],
  ])('%s: fits a phone and a desk, light and dark, without a complaint', async (_name, make) => {
    for (const width of [390, 1280]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        await page.setContent(make());
        const seen = await page.evaluate(() => ({
          overflow: document.documentElement.scrollWidth - window.innerWidth,
          background: getComputedStyle(document.body).backgroundColor,
        }));
        expect(seen.overflow).toBeLessThanOrEqual(0);
        expect(seen.background).toBe(colorScheme === 'light' ? 'rgb(252, 252, 251)' : 'rgb(21, 24, 26)');
      }
    }
    expect(messages).toEqual([]);
  });

  it('shows one of two drawings, as the screen has room', async () => {
    await page.setContent(scanPage(exampleScan()));
    for (const [width, shown] of [
      [390, '.on-phone'],
      [1280, '.on-desk'],
    ] as const) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.locator('.on-desk, .on-phone').locator('visible=true').count()).toBe(
        await page.locator(shown).count(),
      );
      expect(await page.locator(shown).first().isVisible()).toBe(true);
    }
    // Labels of an axis do not lie on each other.
    const overlaps = await page
      .locator('.on-desk svg')
      .first()
      .evaluate(svg => {
        const boxes = [...svg.querySelectorAll('text[text-anchor="middle"]')].map(t =>
          t.getBoundingClientRect(),
        );
        return boxes.filter((box, i) => i > 0 && box.left < boxes[i - 1]!.right).length;
      });
    expect(overlaps).toBe(0);
  });

  it('tables sort by numbers downwards first, then upwards, and by names', async () => {
    const report = exampleReport();
    await page.setContent(compressPage(report));
    const table = page.locator('table.wide', { has: page.getByRole('button', { name: 'Weight' }) });
    const order = () =>
      table
        .locator('tbody tr')
        .evaluateAll(rows => rows.map(row => row.querySelector('th .name')!.textContent));
    const byBytes = [...report.layers]
      .sort((a, b) => b.bytesBefore - a.bytesBefore)
      .map(layer => layer.weight);
    await table.getByRole('button', { name: 'Before' }).click();
    expect(await order()).toEqual(byBytes);
    await table.getByRole('button', { name: 'Before' }).click();
    expect((await order())[0]).toBe(
      report.layers.toSorted((a, b) => a.bytesBefore - b.bytesBefore)[0]!.weight,
    );
    await table.getByRole('button', { name: 'Weight' }).click();
    expect(await order()).toEqual(
      report.layers.map(layer => layer.weight).sort((a, b) => a.localeCompare(b, 'en')),
    );
  });

  it('run nothing that a model file smuggled in', async () => {
    const report = exampleReport({
      verdict: '<script>window.owned = 1</script><img src=x onerror="window.owned = 1">',
    });
    await page.setContent(compressPage(report).replace('</h1>', '<script>window.owned = 2</script></h1>'));
    expect(await page.evaluate(() => (window as { owned?: number }).owned)).toBeUndefined();
    // The second script stands in the page as it would if escaping had failed: the policy stops it, and says so.
    expect(messages.join()).toMatch(/Content Security Policy/);
  });
});
