import { formatShape, plural, shorten } from '../format.js';
import { html, type Piece } from '../markup.js';
import { spectrumPlot } from '../plot/spectrum.js';

const SHOWN = 12;

export interface WeightSpectrum {
  weight: string;
  shape: readonly number[];
  bytes: number;
  /** Singular values, largest first. */
  values: readonly number[];
  /** The rank to mark, where there is one. */
  rank?: number | undefined;
  /** What to say of it, e.g. `rank 48 of 120`. */
  note?: string | undefined;
}

/** Spectra of the largest weights side by side, the rest folded away. Nothing where there are none. */
export function spectra(weights: readonly WeightSpectrum[], legend: string): Piece {
  const sorted = weights.filter(w => w.values.length > 1).sort((a, b) => b.bytes - a.bytes);
  if (sorted.length === 0) return null;
  const grid = (some: readonly WeightSpectrum[]) =>
    html`<ul class="spectra">${some.map(({ weight, shape, values, rank, note }) => {
      const short = values.length;
      const long = shape.reduce((product, dim) => product * dim, 1) / short;
      return html`<li><span class="name" title="${shorten(weight, 200)}">${shorten(weight, 26)}</span><span class="quiet">${formatShape(shape)}</span>${spectrumPlot(
        {
          title: `Spectrum of ${shorten(weight, 80)}`,
          values,
          rank,
          breakEven: (short * long) / (short + long),
        },
      )}<span class="quiet">${note}</span></li>`;
    })}</ul>`;
  const rest = sorted.slice(SHOWN);
  return [
    html`<p>Singular values of each weight as a matrix, relative to its largest. A steep curve is a matrix of low rank. <span class="quiet">${legend} Dotted: the rank from which two factors are larger than the matrix.</span></p>`,
    grid(sorted.slice(0, SHOWN)),
    rest.length > 0 &&
      html`<details><summary>${plural(rest.length, 'smaller weight')}</summary>${grid(rest)}</details>`,
  ];
}
