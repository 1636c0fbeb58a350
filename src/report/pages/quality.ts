import type { CompressReport, InputsUsed, SampleChange, ScoreRow } from '../../compress/report.js';
import { formatCosine, formatDifference, formatPercent, plural, shorten } from '../format.js';
import { html, type Markup, type Piece } from '../markup.js';
import { scoreText } from '../scores.js';
import { type Column, nameOf, table } from '../table.js';

/** The user's own scores, then the agreement of each output. */
export function quality(report: CompressReport): Piece {
  const { outputs } = report.verification;
  return [
    report.scores.length > 0 &&
      table(
        report.scores,
        [
          {
            heading: 'Score',
            head: true,
            cell: row => [row.name, row.description && html`<span class="quiet">${row.description}</span>`],
          },
          { heading: 'Before', number: true, cell: row => scoreText(row).before },
          { heading: 'After', number: true, cell: row => scoreText(row).after },
          { heading: 'Difference', number: true, cell: scoreDifference },
          { heading: 'Better is', cell: row => row.betterIs },
        ],
        'Your evaluation, on the original and on the compressed model',
      ),
    outputs.length > 0 &&
      table(
        outputs,
        [
          { heading: 'Output', head: true, cell: output => nameOf(output.name) },
          { heading: 'Relative error', number: true, cell: output => formatPercent(output.relativeError) },
          { heading: 'Cosine', number: true, cell: output => formatCosine(output.cosine) },
          { heading: '5th percentile', number: true, cell: output => formatCosine(output.cosine5) },
          {
            heading: 'Same top-1',
            number: true,
            cell: output => (output.top1 === undefined ? '–' : formatPercent(output.top1)),
          },
        ],
        'Agreement with the original’s outputs',
      ),
    html`<p class="quiet">Measured on ${plural(report.verification.samples, 'input')} that took no part in the compression.</p>`,
  ];
}

const TONES = { better: 'good', worse: 'bad', same: 'quiet' } as const;

function scoreDifference(row: ScoreRow): Markup {
  const { difference, change } = scoreText(row);
  return html`<span class="${TONES[change]}">${difference}</span>`;
}

/** What made-up inputs mean for the numbers. */
const GENERATED_NOTE = html`The inputs were made up from the model’s signature, because none were given. They show that the file runs and how far it departs from the original on noise; they do not show how it does on your data. Give real inputs with <code>--calibration</code>.`;

/** Which inputs the numbers come from, with a plain word where they were made up. */
export function inputsUsed(report: CompressReport): Piece {
  const { calibration, verification } = report;
  const from = (inputs: InputsUsed) => (inputs.generated ? 'made up' : inputs.source);
  return [
    (calibration.generated || verification.generated) &&
      html`<p><strong>Made-up inputs.</strong> ${GENERATED_NOTE}</p>`,
    html`<p>Calibrated on ${plural(calibration.samples, 'input')} (${from(calibration)}), verified on ${verification.samples.toLocaleString('en')} others (${from(verification)}).</p>`,
  ];
}

/** The inputs that got worse by the user's evaluation, and those on which the outputs agree least. */
export function worstInputs(report: CompressReport, images: ReadonlyMap<string, string>): Piece {
  const pieces = [worstByScore(report.worst, images), leastAlike(report)].filter(Boolean);
  return pieces.length > 0 && pieces;
}

function worstByScore(rows: readonly SampleChange[], images: ReadonlyMap<string, string>): Piece {
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

function leastAlike(report: CompressReport): Piece {
  const rows = report.verification.outputs.flatMap(output =>
    output.worst.map(({ sample, cosine }) => ({ output: output.name, sample, cosine })),
  );
  if (rows.length === 0) return null;
  return table(
    rows,
    [
      { heading: 'Input', head: true, key: row => row.sample, cell: row => `#${row.sample}` },
      { heading: 'Cosine', key: row => row.cosine, cell: row => formatCosine(row.cosine) },
      { heading: 'Output', key: row => row.output, cell: row => nameOf(row.output) },
    ],
    'Outputs least like the original’s',
  );
}
