import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { SampleChange } from '../compress/report.js';

const TYPES: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
};

/** A page with a few of these is still one that can be mailed. */
const LARGEST = 200_000;

/**
 * The images of the worst inputs as `data:` URLs by path, so that the page holds them. What cannot be read, is no
 * image or is large is left out: the page says its name all the same.
 */
export async function readImages(samples: readonly SampleChange[]): Promise<Map<string, string>> {
  const images = new Map<string, string>();
  for (const { image } of samples) {
    const type = image === undefined ? undefined : TYPES[extname(image).toLowerCase()];
    if (image === undefined || type === undefined) continue;
    const bytes = await readFile(image).catch(() => undefined);
    if (bytes && bytes.byteLength <= LARGEST)
      images.set(image, `data:${type};base64,${bytes.toString('base64')}`);
  }
  return images;
}
