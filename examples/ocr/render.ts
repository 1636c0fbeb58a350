import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, chromium } from 'playwright-core';
import sharp from 'sharp';
import type { Random } from 'whittle-nn/random';
import { pick, type Text } from './texts.js';

/** Fonts under the SIL Open Font License, from npm: see README.md for the command that installs them. */
const FONTS = {
  latin: [
    ['roboto', 'latin', 400],
    ['roboto', 'latin', 700],
    ['lora', 'latin', 400],
    ['courier-prime', 'latin', 400],
    ['oswald', 'latin', 400],
  ],
  chinese: [
    ['noto-sans-sc', 'chinese-simplified', 400],
    ['noto-serif-sc', 'chinese-simplified', 500],
  ],
} as const;

/** One font face as CSS, the file inlined so that the page needs no server. */
async function face([family, subset, weight]: readonly [string, string, number]): Promise<string> {
  const file = createRequire(import.meta.url).resolve(
    `@fontsource/${family}/files/${family}-${subset}-${weight}-normal.woff2`,
  );
  const data = (await readFile(file)).toString('base64');
  return `@font-face { font-family: "${family}-${weight}"; src: url(data:font/woff2;base64,${data}); }`;
}

/** Opens a page in headless Chromium (`CHROMIUM` names the program) with the fonts at hand. */
export async function openPage(): Promise<{
  browser: Browser;
  page: Awaited<ReturnType<Browser['newPage']>>;
}> {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--font-render-hinting=none', '--disable-lcd-text'],
  });
  const page = await browser.newPage({ viewport: { width: 1200, height: 200 } });
  const css = (await Promise.all([...FONTS.latin, ...FONTS.chinese].map(face))).join('\n');
  await page.setContent(`<style>${css}</style><div id="paper"></div>`);
  return { browser, page };
}

/** A CSS font stack for a text: Latin fonts come with a Chinese one for signs that they lack, and the reverse. */
export function fontFor({ script }: Text, random: Random): string {
  const [family, , weight] = pick<readonly [string, string, number]>(random, FONTS[script]);
  return `"${family}-${weight}", "roboto-400", "noto-sans-sc-400"`;
}

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`);

export interface Wear {
  /** Standard deviation of the blur, pixels; 0 for none. */
  blur: number;
  /** Gray levels of ink and paper, 0 … 255. */
  ink: number;
  paper: number;
  /** Standard deviation of the noise, gray levels. */
  noise: number;
  /** Change of the paper's brightness from left to right, gray levels. */
  shade: number;
}

/** Makes a clean black-on-white screenshot look photographed; returns gray pixels, row-major. */
export async function wear(
  png: Buffer,
  { blur, ink, paper, noise, shade }: Wear,
  random: Random,
): Promise<{ pixels: Uint8Array; width: number; height: number }> {
  let image = sharp(png).flatten({ background: '#fff' }).grayscale();
  if (blur >= 0.3) image = image.blur(blur);
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  const pixels = Uint8Array.from(data, (gray, i) => {
    const x = (i % info.width) / info.width;
    const clean = ink + ((paper - ink) * gray) / 255 + shade * (x - 0.5);
    return Math.max(0, Math.min(255, Math.round(clean + noise * random.normal())));
  });
  return { pixels, width: info.width, height: info.height };
}
