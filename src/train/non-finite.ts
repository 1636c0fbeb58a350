import type { Batch } from '../datasets/dataset.js';
import { isFloat } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import type { StepRunner } from './step/runner.js';

/**
 * Stops a training whose numbers have stopped being numbers.
 * @param metrics of the last step
 * @param lastGood what the last checkpoint is called
 * @param batch what the step was trained on
 * @throws WhittleError naming the step and the parameter, where a metric is NaN or infinite
 */
export function checkMetrics(
  runner: StepRunner,
  metrics: Readonly<Record<string, number>>,
  lastGood: string | undefined,
  batch: Batch = {},
): void {
  const data = { batch, of: 'the batch', first: 0 };
  const scaled = runner.step.options.lossScaling === true;
  for (const name of ['loss', 'gradient_norm']) {
    const value = metrics[name];
    // With loss scaling an overflow is expected now and then; that update is left out.
    if (value === undefined || Number.isFinite(value) || (scaled && name === 'gradient_norm')) continue;
    throw explain(runner, `the ${name.replace('_', ' ')} became ${value}`, lastGood, data);
  }
}

/**
 * @param metrics of one batch of an evaluation, or of the whole
 * @param examples the batch, and the number of its first example in the test set
 * @throws WhittleError naming the metric and the last good checkpoint, where one is NaN or infinite
 */
export function checkEvaluation(
  runner: StepRunner,
  metrics: Readonly<Record<string, number>>,
  lastGood: string | undefined,
  { batch, first }: { readonly batch: Batch; readonly first: number } = { batch: {}, first: 0 },
): void {
  for (const [name, value] of Object.entries(metrics)) {
    if (Number.isFinite(value)) continue;
    const data = { batch, of: 'the test set', first };
    throw explain(runner, `the evaluation's ${name} became ${value}`, lastGood, data);
  }
}

/**
 * @throws WhittleError where a parameter or state holds NaN or infinity; before a checkpoint is saved, and before
 *   weights are given back
 */
export function checkStates(runner: StepRunner, lastGood: string | undefined): void {
  for (const name of runner.states.names) {
    if (allFinite(runner.states.read(name))) continue;
    throw explain(runner, 'the weights have overflowed', lastGood);
  }
}

function explain(
  runner: StepRunner,
  problem: string,
  lastGood: string | undefined,
  examples: Examples = { batch: {}, of: 'the batch', first: 0 },
): WhittleError {
  const { states } = runner;
  // What a step read is still there: whoever held NaN before it is the culprit, else who holds it since.
  const before = firstBad(states.names, name => states.readPrevious(name));
  const step = `at batch ${runner.batch} (update ${runner.update})`;
  const saved =
    lastGood === undefined ? 'No checkpoint was saved' : `The last good checkpoint is ${lastGood}`;
  const data = before === undefined ? badExample(examples) : undefined;
  if (data) {
    const { example, value, field } = data;
    return new WhittleError(`${problem} ${step}; example ${example} of ${examples.of} holds ${value}`, {
      value: field,
      hint: `Look at the data and its transforms. ${saved}`,
    });
  }
  const after = firstBad(states.names, name => states.read(name));
  const culprit = before ?? after;
  const detail =
    before !== undefined
      ? `; "${before}" held it before, since an earlier update`
      : after !== undefined
        ? `; the update of "${after}" overflowed`
        : '';
  return new WhittleError(`${problem} ${step}${detail}`, {
    ...(culprit !== undefined && { value: culprit }),
    hint: `Lower the learning rate, lengthen the warm-up, or clip gradients (clip: { norm: 1 }). ${saved}`,
  });
}

interface Examples {
  readonly batch: Batch;
  /** What the examples are counted in. */
  readonly of: string;
  /** Number of the batch's first. */
  readonly first: number;
}

/** The first number of a batch that is none. */
function badExample({
  batch,
  first,
}: Examples): { field: string; example: number; value: number } | undefined {
  for (const [field, tensor] of Object.entries(batch)) {
    if (!isFloat(tensor.dtype)) continue;
    const data = tensor.toFloat32();
    const at = data.findIndex(v => !Number.isFinite(v));
    if (at < 0) continue;
    const size = data.length / (tensor.dims[0] ?? 1);
    return { field, example: first + Math.floor(at / size), value: data[at]! };
  }
  return undefined;
}

const firstBad = (names: Iterable<string>, read: (name: string) => Tensor): string | undefined =>
  [...names].find(name => !allFinite(read(name)));

function allFinite(tensor: Tensor): boolean {
  const data = tensor.toFloat32();
  // x − x is 0 for numbers and NaN for the rest.
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! - data[i]!;
  return sum === 0;
}
