import { html, type Markup } from './markup.js';

/** A drawing in two sizes, of which the page shows the one that fits: text in it stays readable on a phone. */
export const responsive = (draw: (size: { width: number; height: number }) => Markup): Markup =>
  html`<div class="on-desk">${draw({ width: 860, height: 400 })}</div><div class="on-phone">${draw({ width: 350, height: 320 })}</div>`;
