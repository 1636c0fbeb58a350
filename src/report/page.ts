import { html, type Markup, type Piece } from './markup.js';
import { SCRIPT, SCRIPT_HASH } from './script.js';
import { STYLE } from './style.js';

export interface PageOptions {
  /** The browser's title. */
  title: string;
  /** Short line above the headline: what the page is about, and when. */
  origin: Piece;
  headline: string;
  body: Piece;
  footer: Piece;
}

/** A self-contained page: it loads nothing, runs nothing but our own script, and may be mailed around. */
export function page({ title, origin, headline, body, footer }: PageOptions): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src '${SCRIPT_HASH}'; img-src data:; base-uri 'none'; form-action 'none'`;
  const content = html`<header><p class="origin">${origin}</p><h1${headline.length > 100 && html` class="long"`}>${unbroken(headline)}</h1></header><main>${body}</main><footer>${footer}</footer>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${html`<title>${title}</title>`.text}
<style>${STYLE}</style>
</head>
<body>
${content.text}
<script>${SCRIPT}</script>
</body>
</html>
`;
}

/** Keeps a number and its unit on one line. */
const unbroken = (text: string): string => text.replace(/(\d) (?=[kMGT]?B\b|ms\b|s\b)/g, '$1\u00a0');

/** A part of a page with its heading in the margin. */
export const section = (heading: string, ...body: Piece[]): Markup =>
  html`<section><h2>${heading}</h2><div class="body">${body}</div></section>`;
