/**
 * What the two searches that no budget asks for find in PP-OCR recognition: `npx jiti bench/searches.ts [laser | sharing]`.
 *
 * `laser` judges by the 64 calibration lines, cutting each of the layers of more than 20,000 numbers to a quarter and to
 * half of its rank, then reads lines of the test set with what it kept. `sharing` prints how near the nearest weights are
 * to being multiples of each other, over all that have a twin of their shape.
 */
import { scoreLines } from '../examples/ocr/eval.js';
import { lineLabels, lineSample } from '../examples/ocr/lines.js';
import { recognitionModel } from '../examples/ocr/models.js';
import {
  compareScores,
  findSites,
  findTwins,
  searchRankReductions,
  shareWeights,
} from '../src/compress/index.js';
import { indexedSource } from '../src/data/index.js';
import { loadModel } from '../src/onnx/load.node.js';
import { createSession } from '../src/runtime/index.js';

const threads = 1;
const model = await loadModel(recognitionModel);
const labels = lineLabels('calibration');
const inputs = indexedSource({ description: `${labels.length} rendered text lines` }, labels.length, i =>
  lineSample(labels[i]!),
);
const only = process.argv[2];
if (only === undefined || only === 'laser') await laser();
if (only === undefined || only === 'sharing') await sharing();

async function laser(): Promise<void> {
  const include = findSites(model)
    .filter(({ tensor }) => tensor.size > 20_000)
    .map(({ value }) => value.name);
  const search = await searchRankReductions(model, {
    inputs,
    include,
    shares: [0.25, 0.5],
    evaluate: scoreLines(labels),
    score: 'cer',
    threads,
  });
  const gaining = search.reductions.filter(({ gain }) => gain > 0);
  const harmless = search.reductions.filter(({ gain }) => gain === 0);
  console.log(
    `${search.reductions.length} cuts of ${include.length} layers: character errors fall in ${gaining.length}, stay in ${harmless.length}; ${search.score.toFixed(2)}% before`,
  );
  console.log('weight                          share   errors    gain');
  const show = (rows: typeof search.reductions) => {
    for (const { weight, share, score, gain } of rows) {
      console.log(
        `${weight.padEnd(32)}${share.toFixed(2).padStart(5)}${score.toFixed(2).padStart(8)}%${gain.toFixed(2).padStart(8)}`,
      );
    }
  };
  show(search.reductions.slice(0, 10));
  console.log('…');
  show(search.reductions.slice(-3));
  console.log('kept, each on top of those before:');
  show(search.kept);
  const sessions = [await createSession(model, { threads }), await createSession(search.model, { threads })];
  const test = await compareScores(scoreLines(lineLabels('test')), sessions[0]!, sessions[1]!);
  for (const { name, before, after } of test.scores) {
    console.log(`test set, ${name}: ${before.toFixed(2)} → ${after.toFixed(2)}`);
  }
  for (const session of sessions) await session.release();
}

async function sharing(): Promise<void> {
  const pairs = findTwins(findSites(model), Number.MAX_VALUE);
  console.log(`${pairs.length} weights have one of their shape; the nearest:`);
  for (const { site, of, factor, difference } of pairs.slice(0, 5)) {
    console.log(
      `${site.value.name} ≈ ${factor.toFixed(3)} · ${of.value.name}: difference ${difference.toFixed(3)}`,
    );
  }
  for (const tolerance of [0.1, 1]) {
    const { tied, refused } = await shareWeights(model, { inputs, tolerance, threads });
    console.log(`tolerance ${tolerance}: ${tied.length} tied, ${refused.length} refused by the outputs`);
  }
}
