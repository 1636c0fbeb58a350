import { printable } from './format.js';

/** HTML or SVG text that is safe to put into a page as it is. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: text is escaped, markup is kept, lists are joined, nothing gives nothing. */
export type Piece = Markup | string | number | false | null | undefined | readonly Piece[];

/**
 * Template tag for HTML and SVG. Everything put in is escaped, for text and quoted attributes alike, because names
 * come from model files that anybody may have written.
 */
export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  return new Markup(strings.reduce((text, part, i) => text + render(pieces[i - 1]) + part));
}

function render(piece: Piece): string {
  if (piece instanceof Markup) return piece.text;
  if (typeof piece === 'string') return escapeText(piece);
  if (typeof piece === 'number') return String(piece);
  return Array.isArray(piece) ? piece.map(render).join('') : '';
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escapeText = (text: string): string =>
  text
    .split('\n')
    .map(printable)
    .join('\n')
    .replace(/[&<>"']/g, c => ENTITIES[c]!);
