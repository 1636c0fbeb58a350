/**
 * Which layers of PP-OCR recognition profit from a lower rank: `npx jiti bench/laser.ts`. The 64 calibration lines judge
 * each layer of more than 20,000 numbers at a quarter and at half of its rank; what is kept then reads the test lines.
 */

import calibrationInputs from '../examples/ocr/calibration.js';
import { scoreLines } from '../examples/ocr/eval.js';
import { lineLabels } from '../examples/ocr/lines.js';
import { recognitionModel } from '../examples/ocr/models.js';
import { compareScores, findSites, searchRankReductions } from '../src/compress/index.js';
import { signatureOf } from '../src/compress/inputs.js';
import { loadModel } from '../src/onnx/load.node.js';
import { createSession } from '../src/runtime/index.js';

const threads = 1;
const model = await loadModel(recognitionModel);
const large = findSites(model).filter(({ tensor }) => tensor.size > 20_000);
const search = await searchRankReductions(model, {
  inputs: calibrationInputs(signatureOf(model)),
  include: large.map(({ value }) => `${value.name}*`),
  shares: [0.25, 0.5],
  evaluate: scoreLines(lineLabels('calibration')),
  score: 'cer',
  threads,
});
const { reductions, kept, score } = search;
const count = (holds: (gain: number) => boolean) => reductions.filter(({ gain }) => holds(gain)).length;
console.log(
  `${reductions.length} cuts of ${large.length} layers, ${score.toFixed(2)}% wrong characters before: fewer after ${count(gain => gain > 0)}, as many after ${count(gain => gain === 0)}`,
);
const show = (title: string, rows: typeof reductions) => {
  console.log(title);
  for (const row of rows) {
    console.log(`  ${row.weight}, ${100 * row.share}% of its rank: ${row.score.toFixed(2)}%`);
  }
};
show('best alone:', reductions.slice(0, 5));
show('worst alone:', reductions.slice(-2));
show('kept, each on top of those before:', kept);
const sessions = [
  await createSession(model, { threads }),
  await createSession(search.model, { threads }),
] as const;
const test = await compareScores(scoreLines(lineLabels('test')), ...sessions);
for (const { name, before, after } of test.scores) {
  console.log(`test lines, ${name}: ${before.toFixed(2)} → ${after.toFixed(2)}`);
}
for (const session of sessions) await session.release();
