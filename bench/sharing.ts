/**
 * Whether weights of PP-OCR recognition can be shared: `npx jiti bench/sharing.ts` prints how near the nearest weights of
 * one shape are to being multiples of each other, and how many the outputs let be tied.
 */
import calibrationInputs from '../examples/ocr/calibration.js';
import { recognitionModel } from '../examples/ocr/models.js';
import { findSites, findTwins, shareWeights } from '../src/compress/index.js';
import { signatureOf } from '../src/compress/inputs.js';
import { loadModel } from '../src/onnx/load.node.js';

const model = await loadModel(recognitionModel);
const inputs = calibrationInputs(signatureOf(model));
const pairs = findTwins(findSites(model), Number.MAX_VALUE);
console.log(`${pairs.length} weights have one of their shape; the nearest:`);
for (const { site, of, factor, difference } of pairs.slice(0, 5)) {
  console.log(
    `${site.value.name} ≈ ${factor.toFixed(3)} · ${of.value.name}: difference ${difference.toFixed(3)}`,
  );
}
for (const tolerance of [0.1, 1]) {
  const { tied, refused } = await shareWeights(model, { inputs, tolerance, threads: 1 });
  console.log(`tolerance ${tolerance}: ${tied.length} tied, ${refused.length} refused by the outputs`);
}
