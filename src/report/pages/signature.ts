import { formatShape, shorten } from '../format.js';
import { html, type Markup } from '../markup.js';

/** Inputs or outputs of a model, one a line: name, dtype, shape. */
export const signature = (
  values: readonly { name: string; dtype: string; shape?: readonly (number | string | null)[] }[],
): Markup[] =>
  values.map(
    ({ name, dtype, shape }) =>
      html`<div><code>${shorten(name, 80)}</code> ${dtype === 'unknown' ? 'of no stated type' : dtype}${shape && `, ${formatShape(shape)}`}</div>`,
  );
