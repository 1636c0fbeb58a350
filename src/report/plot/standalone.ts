import type { Markup } from '../markup.js';
import { STYLE } from '../style.js';

const FONT = "12px -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif";
/** Text of a picture that is shown small, as on a phone: larger in the drawing's own pixels. */
const SMALL = '@media (max-width: 520px) { svg { font-size: 18px; } }';
/** Room around the drawing, in its pixels. */
const ROOM = 16;

/**
 * A drawing as an SVG file of its own: with the page's colours for light and dark, and paper behind it, so that it can
 * be read wherever it is shown.
 */
export function standalone(drawing: Markup, { width }: { readonly width: number }): string {
  const height = Number(/viewBox="0 0 [\d.]+ ([\d.]+)"/.exec(drawing.text)?.[1]);
  const box = `${-ROOM} ${-ROOM} ${width + 2 * ROOM} ${height + 2 * ROOM}`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" viewBox="${box}" width="${width + 2 * ROOM}" height="${height + 2 * ROOM}">`;
  const paper = `<rect x="${-ROOM}" y="${-ROOM}" width="100%" height="100%" style="fill:var(--paper)"/>`;
  const content = drawing.text.replace(/^<svg[^>]*>/, '');
  return `${head}<style>${colours()}svg { font: ${FONT}; font-variant-numeric: tabular-nums; }\n${SMALL}\n${rules()}</style>${paper}${content}\n`;
}

/** The variables of the page's style, light and dark. */
const colours = (): string => STYLE.slice(0, STYLE.indexOf('* {'));

/** The rules about what is in a plot. */
const rules = (): string =>
  STYLE.split('\n')
    .filter(line => /^\.plot [^{+]/.test(line))
    .join('\n');
