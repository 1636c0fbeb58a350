/**
 * Renders the text lines of this example: `fixtures/lines/*.png` (8-bit gray) and `fixtures/lines/labels.json`. The files are
 * checked in; this script only shows how they were made. It needs Chromium and the fonts, see README.md.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { Random } from 'whittle-nn/random';
import type { LineLabel } from './lines.js';
import { escapeHtml, fontFor, openPage, wear } from './render.js';
import { makeText, type Text } from './texts.js';

const COUNTS = { calibration: 64, test: 240 };
const folder = new URL('./fixtures/lines/', import.meta.url);

const random = new Random(2024);
const total = COUNTS.calibration + COUNTS.test;
const texts = new Map<string, Text>();
while (texts.size < total) {
  const made = makeText(random);
  if (made.text.length <= 42) texts.set(made.text, made);
}

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
const { browser, page } = await openPage();
const labels: LineLabel[] = [];
for (const [index, text] of [...texts.values()].entries()) {
  // How hard a line is to read: from easy to hopeless, so that small losses of a model can show.
  const hardness = random.uniform();
  const [largest, smallest] = text.script === 'chinese' ? [20, 13] : [19, 10.5];
  const size = Math.round(largest - (largest - smallest) * hardness * random.uniform(0.5, 1));
  const angle = random.uniform(-1.5, 1.5) * hardness;
  await page.evaluate(
    ({ html, style }) => {
      const paper = document.getElementById('paper')!;
      paper.setAttribute('style', 'display:inline-block;padding:2px 4px;background:#fff');
      paper.innerHTML = `<span style='${style}'>${html}</span>`;
      return document.fonts.ready.then(() => undefined);
    },
    {
      html: escapeHtml(text.text),
      style: `display:inline-block;white-space:pre;line-height:1.25;transform:rotate(${angle}deg);font:${size}px ${fontFor(text, random)}`,
    },
  );
  const clean = await page.locator('#paper').screenshot();
  const paper = random.uniform(140, 250);
  const worn = await wear(
    clean,
    {
      blur: 1.05 * hardness * random.uniform(),
      paper,
      ink: paper - random.uniform(100, 140) + 70 * hardness,
      noise: 2 + 14 * hardness * random.uniform(),
      shade: random.uniform(-30, 30),
    },
    random,
  );
  const { pixels, width, height } = worn;
  const file = `${String(index).padStart(3, '0')}.png`;
  const png = await sharp(pixels, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png({ compressionLevel: 9, adaptiveFiltering: true })
    .toBuffer();
  await writeFile(new URL(file, folder), png);
  labels.push({ file, text: text.text, split: index < COUNTS.calibration ? 'calibration' : 'test' });
}
await browser.close();
await writeFile(new URL('labels.json', folder), `${JSON.stringify(labels, null, 1)}\n`);
