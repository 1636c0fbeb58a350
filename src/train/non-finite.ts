import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import type { StepRunner } from './step/runner.js';

/**
 * Stops a training whose numbers have stopped being numbers.
 * @param metrics of the last step
 * @param lastGood what the last checkpoint is called
 * @throws WhittleError naming the step and the parameter, where a metric is NaN or infinite
 */
export function checkMetrics(
  runner: StepRunner,
  metrics: Readonly<Record<string, number>>,
  lastGood: string | undefined,
): void {
  const scaled = runner.step.options.lossScaling === true;
  for (const name of ['loss', 'gradient_norm']) {
    const value = metrics[name];
    // With loss scaling an overflow is expected now and then; that update is left out.
    if (value === undefined || Number.isFinite(value) || (scaled && name === 'gradient_norm')) continue;
    throw explain(runner, `the ${name.replace('_', ' ')} became ${value}`, lastGood);
  }
}

/** @throws WhittleError where a parameter or state holds NaN or infinity; before a checkpoint is saved */
export function checkStates(runner: StepRunner, lastGood: string | undefined): void {
  for (const name of runner.states.names) {
    if (allFinite(runner.states.read(name))) continue;
    throw explain(runner, 'the weights have overflowed', lastGood);
  }
}

function explain(runner: StepRunner, problem: string, lastGood: string | undefined): WhittleError {
  const { states } = runner;
  // What a step read is still there: whoever held NaN before it is the culprit, else who holds it since.
  const before = firstBad(states.names, name => states.readPrevious(name));
  const after = firstBad(states.names, name => states.read(name));
  const culprit = before ?? after;
  const step = `at batch ${runner.batch} (update ${runner.update})`;
  const detail =
    before !== undefined
      ? `; "${before}" held it before`
      : after !== undefined
        ? `; the update of "${after}" overflowed`
        : '';
  return new WhittleError(`${problem} ${step}${detail}`, {
    ...(culprit !== undefined && { value: culprit }),
    hint: `Lower the learning rate, lengthen the warm-up, or clip gradients (clip: { norm: 1 }). ${
      lastGood === undefined ? 'No checkpoint was saved' : `The last good checkpoint is ${lastGood}`
    }`,
  });
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
