/**
 * Prints the scores of PP-OCRv4's recognition (or detection) model, and of other versions of it beside:
 * `npx jiti examples/ocr/score.ts [MODEL.onnx] [--detection] [--worst N]`.
 */
import { parseArgs } from 'node:util';
import { asRunner } from 'whittle-nn/compress';
import { evaluate } from 'whittle-nn/data';
import { createSession } from 'whittle-nn/runtime';
import evaluateLines from './eval.js';
import evaluatePages from './eval-detection.js';
import { detectionModel, recognitionModel } from './models.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { detection: { type: 'boolean', default: false }, worst: { type: 'string', default: '0' } },
});
const [original, evalFunction] = values.detection
  ? [detectionModel, evaluatePages]
  : [recognitionModel, evaluateLines];
const reference = asRunner(await createSession(original));
for (const [name, model] of [['original', original], ...positionals.map(p => [p, p])] as const) {
  const runner = model === original ? reference : asRunner(await createSession(model));
  const { scores, samples } = await evaluate(evalFunction, runner, { reference });
  const figures = [...scores].map(
    ([score, { value, format }]) => `${score} ${value.toFixed(2)}${format === 'percent' ? '%' : ''}`,
  );
  console.log(`${name}: ${figures.join(', ')} (${samples.length} inputs)`);
  const worst = [...samples].sort((a, b) => (a.score ?? 0) - (b.score ?? 0)).slice(0, Number(values.worst));
  for (const { id, expected, text } of worst) console.log(`  ${id}  ${expected}  ->  ${text}`);
}
