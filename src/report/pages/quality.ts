import type { Interval } from '../../compress/bootstrap.js';
import type { CompressReport, InputsUsed, SampleChange } from '../../compress/report.js';
import { formatCosine, formatDifference, formatPercent, plural, shorten } from '../format.js';
import { html, type Piece } from '../markup.js';
import { type Column, nameOf, table } from '../table.js';

/** How much each output is like the original's, with confidence intervals. */
export function quality(report: Pick<CompressReport, 'verification' | 'perSample'>): Piece {
  const { outputs, samples } = report.verification;
  const hasIntervals = outputs.some(({ intervals }) => intervals && Object.keys(intervals).length > 0);
  return [
    outputs.length > 0 &&
      table(
        outputs,
        [
          { heading: 'Output', head: true, cell: output => nameOf(shorten(output.name, 80)) },
          {
            heading: 'Cosine',
            number: true,
            cell: ({ cosine, intervals }) => [formatCosine(cosine), range(intervals?.cosine, formatCosine)],
          },
          {
            heading: '5th percentile',
            number: true,
            cell: ({ cosine5 }) => (cosine5 === undefined ? '–' : formatCosine(cosine5)),
          },
          {
            heading: 'Same top-1',
            number: true,
            cell: ({ top1, intervals }) =>
              top1 === undefined ? '–' : [formatPercent(top1), range(intervals?.top1, formatPercent)],
          },
          {
            heading: 'Relative error',
            number: true,
            cell: ({ relativeError, intervals }) => [
              formatPercent(relativeError),
              range(intervals?.relativeError, formatPercent),
            ],
          },
        ],
        'Agreement with the original’s outputs',
        true,
      ),
    report.perSample &&
      html`<p>A sample’s own score changed by ${formatDifference(report.perSample.mean)} on average (${formatDifference(report.perSample.interval[0])} to ${formatDifference(report.perSample.interval[1])}, ${plural(report.perSample.samples, 'sample')}).</p>`,
    html`<p class="quiet">Measured on ${plural(samples, 'input')} that calibration did not see.${hasIntervals && ' In small print: 95% confidence intervals, by bootstrap over these inputs.'}</p>`,
  ];
}

const range = (interval: Interval | undefined, format: (value: number) => string): Piece =>
  interval && html`<span class="range">${format(interval[0])} to ${format(interval[1])}</span>`;

/** What made-up inputs mean for the numbers. */
const GENERATED_NOTE = html`The inputs were made up from the model’s signature, because none were given. They show that the file runs and how far it departs from the original on noise; they do not show how it does on your data. Give real inputs with <code>--calibration</code>.`;

/** Which inputs the numbers come from, with a plain word where they were made up. */
export function inputsUsed(report: Pick<CompressReport, 'calibration' | 'verification'>): Piece {
  const { calibration, verification } = report;
  const from = (inputs: InputsUsed) => (inputs.generated ? 'made up' : inputs.source);
  return [
    (calibration.generated || verification.generated) &&
      html`<p><strong>Made-up inputs.</strong> ${GENERATED_NOTE}</p>`,
    html`<p>Calibrated on ${plural(calibration.samples, 'input')} (${from(calibration)}), verified on ${plural(verification.samples, 'other')} (${from(verification)}).</p>`,
  ];
}

/** How inputs look. */
export interface InputViews {
  /** `data:` URLs of the images that `report.worst` names by their paths. */
  images?: ReadonlyMap<string, string>;
  /** Verification inputs by index, as images (`data:` URLs) or as text. */
  samples?: ReadonlyMap<number, { image?: string; text?: string }>;
}

/** The inputs that got worse by the user's evaluation, and those on which the outputs agree least. */
export function worstInputs(report: CompressReport, views: InputViews): Piece {
  const pieces = [worstByScore(report.worst, views.images), leastAlike(report, views.samples)].filter(
    Boolean,
  );
  return pieces.length > 0 && pieces;
}

function worstByScore(rows: readonly SampleChange[], images: ReadonlyMap<string, string> = new Map()): Piece {
  if (rows.length === 0) return null;
  const given = (column: Column<SampleChange>, present: (row: SampleChange) => unknown) =>
    rows.some(row => present(row) !== undefined) ? [column] : [];
  const image = ({ image = '' }: SampleChange) => images.get(image);
  return table(
    rows,
    [
      { heading: 'Input', head: true, cell: row => nameOf(shorten(row.id, 80)) },
      ...given(
        {
          heading: '',
          cell: row => image(row) && html`<img src="${image(row)}" alt="${shorten(row.id, 80)}">`,
        },
        image,
      ),
      ...given({ heading: 'Right', cell: row => textOf(row.expected) }, row => row.expected),
      ...given({ heading: 'Before', cell: row => textOf(row.before) }, row => row.before),
      ...given({ heading: 'After', cell: row => textOf(row.after) }, row => row.after),
      { heading: 'Change', key: row => row.change, cell: row => formatDifference(row.change) },
    ],
    'Worse by your evaluation',
  );
}

const textOf = (text: string | undefined): Piece =>
  text === undefined ? '–' : html`<span class="answer">${shorten(text, 200)}</span>`;

function leastAlike(report: CompressReport, views: InputViews['samples'] = new Map()): Piece {
  const rows = report.verification.outputs.flatMap(output =>
    output.worst.map(({ sample, cosine }) => ({ output: output.name, sample, cosine })),
  );
  if (rows.length === 0) return null;
  const several = report.verification.outputs.length > 1;
  const shown = ({ sample }: (typeof rows)[number]): Piece => {
    const { image, text } = views.get(sample) ?? {};
    if (image !== undefined) return html`<img src="${image}" alt="input ${sample}">`;
    return text !== undefined && textOf(text);
  };
  return table(
    rows,
    [
      { heading: 'Input', head: true, key: row => row.sample, cell: row => `#${row.sample}` },
      ...(rows.some(row => views.has(row.sample)) ? [{ heading: '', cell: shown }] : []),
      { heading: 'Cosine', key: row => row.cosine, cell: row => formatCosine(row.cosine) },
      ...(several
        ? [
            {
              heading: 'Output',
              key: (row: (typeof rows)[number]) => row.output,
              cell: (row: (typeof rows)[number]) => nameOf(shorten(row.output, 80)),
            },
          ]
        : []),
    ],
    'Outputs least like the original’s',
  );
}
