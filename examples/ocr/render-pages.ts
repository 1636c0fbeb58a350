/**
 * Renders the pages of this example: `fixtures/pages/*.jpg` and `fixtures/pages/labels.json` with the box of every line drawn. The
 * files are checked in; this script only shows how they were made. It needs Chromium and the fonts, see README.md.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { Random } from 'whittle-nn/random';
import type { PageLabel } from './pages.js';
import { escapeHtml, fontFor, openPage, wear } from './render.js';
import { makeText } from './texts.js';

const COUNTS = { calibration: 16, test: 16 };
const folder = new URL('./fixtures/pages/', import.meta.url);
const random = new Random(7);

/** A sheet of text lines of several sizes, now and then indented or framed, with rules between some. */
function layOut(width: number, height: number): string {
  const lines: string[] = [];
  for (let y = 12; y < height - 40; ) {
    const text = makeText(random);
    const size = random.uniform(8, random.uniform() < 0.2 ? 32 : 17);
    const x = random.uniform(8, width * 0.3);
    const color = random.uniform() < 0.2 ? random.integer(190) : random.integer(60);
    lines.push(
      `<span style='position:absolute;left:${x}px;top:${y}px;white-space:pre;line-height:1.1;color:rgb(${color},${color},${color});font-size:${size}px;font-family:${fontFor(text, random)}'>${escapeHtml(text.text)}</span>`,
    );
    y += size * random.uniform(1.12, 2);
    if (random.uniform() < 0.15) {
      lines.push(
        `<div style='position:absolute;left:8px;right:8px;top:${y - 3}px;height:1px;background:#888'></div>`,
      );
    }
  }
  return lines.join('');
}

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
const { browser, page } = await openPage();
const labels: PageLabel[] = [];
for (let index = 0; index < COUNTS.calibration + COUNTS.test; index++) {
  const width = 32 * (10 + random.integer(5));
  const height = 32 * (9 + random.integer(6));
  await page.setViewportSize({ width, height });
  const boxes = await page.evaluate(
    async ({ html, size }) => {
      const paper = document.getElementById('paper')!;
      paper.setAttribute(
        'style',
        `position:fixed;left:0;top:0;width:${size.width}px;height:${size.height}px;overflow:hidden;background:#fff`,
      );
      paper.innerHTML = html;
      await document.fonts.ready;
      return [...paper.querySelectorAll('span')].map(span => {
        const { left, top, right, bottom } = span.getBoundingClientRect();
        return [left, top, Math.min(right, size.width), Math.min(bottom, size.height)].map(Math.round) as [
          number,
          number,
          number,
          number,
        ];
      });
    },
    { html: layOut(width, height), size: { width, height } },
  );
  const clean = await page.screenshot();
  const paper = random.uniform(170, 250);
  const { pixels } = await wear(
    clean,
    {
      blur: random.uniform(0, 1.3),
      paper,
      ink: paper - random.uniform(45, 150),
      noise: random.uniform(2, 11),
      shade: random.uniform(-40, 40),
    },
    random,
  );
  const file = `${String(index).padStart(2, '0')}.jpg`;
  await sharp(pixels, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .jpeg({ quality: 72, mozjpeg: true })
    .toFile(new URL(file, folder).pathname);
  labels.push({
    file,
    boxes,
    split: index < COUNTS.calibration ? 'calibration' : 'test',
  });
}
await browser.close();
await writeFile(
  new URL('labels.json', folder),
  `[\n${labels.map(label => JSON.stringify(label)).join(',\n')}\n]\n`,
);
