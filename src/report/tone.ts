import type { Markup } from './markup.js';
import { html } from './markup.js';

/**
 * The colour of a method. Hue tells the family (blue and orange, which every kind of colour blindness keeps apart),
 * depth tells the bits; the label always stands beside it. Returns a CSS variable that the page style defines for
 * light and dark.
 */
export function toneOf(choice: string): string {
  const family = /svd|low-?rank/i.test(choice)
    ? /residual/i.test(choice)
      ? 'residual'
      : 'lowrank'
    : /residual/i.test(choice)
      ? 'residual'
      : /^(dense|kept|unchanged|float32)/i.test(choice)
        ? 'kept'
        : /int\d|bit|float|quant/i.test(choice)
          ? 'quantize'
          : 'other';
  if (family === 'kept') return 'var(--kept)';
  const bits = Number(/(?:int|float)(\d+)/i.exec(choice)?.[1] ?? /(\d)-bit/i.exec(choice)?.[1] ?? 32);
  return `var(--${family}-${bits >= 16 ? 1 : bits >= 6 ? 2 : 3})`;
}

/** What a choice has in common with others like it: `svd int8, rank 48` is one of `svd int8`. */
export const methodOf = (choice: string): string => choice.replace(/,? *rank *\d+/i, '').trim() || choice;

/** A small square in the colour of a method, to stand before its name. */
export const swatch = (choice: string): Markup =>
  html`<span class="swatch" style="background:${toneOf(choice)}"></span>`;

const DASHES = ['none', '6 3', '2 3', '8 3 2 3', '1 4', '10 4'];

/** Dashes that tell apart lines of one colour. */
export const dashOf = (index: number): string => DASHES[index % DASHES.length]!;

/** Colour and dashes of a method's own curve: the hue of its family; dashes tell apart what shares one. */
export function curveTone(method: string, index: number): { colour: string; dash: string } {
  // Of a family's tones the one for 8 bits is the clearest on paper and on a dark screen.
  const colour = method.includes('+') ? 'var(--residual-2)' : toneOf(`${method} int8`);
  return { colour, dash: dashOf(index + 1) };
}
