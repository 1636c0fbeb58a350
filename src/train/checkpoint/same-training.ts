import { WhittleError } from '../../graph/errors.js';
import type { Progress } from './checkpoint.js';

/**
 * A training goes on only with the seed and the settings that it began with.
 * @param place where the checkpoint is, for messages
 * @throws WhittleError naming what differs
 */
export function checkSameTraining(
  began: Progress,
  now: { readonly seed: number; readonly settings: Readonly<Record<string, unknown>> | undefined },
  place: string,
): void {
  if (now.settings) checkSettings(now.settings, began.settings ?? {}, place);
  if (began.seed !== now.seed) {
    throw new WhittleError(`the training began with seed ${began.seed}`, { file: place });
  }
}

function checkSettings(
  now: Readonly<Record<string, unknown>>,
  then: Readonly<Record<string, unknown>>,
  place: string,
): void {
  for (const name of new Set([...Object.keys(now), ...Object.keys(then)])) {
    const [a, b] = [JSON.stringify(now[name]), JSON.stringify(then[name])];
    if (a === b) continue;
    throw new WhittleError(`the training began with ${name} = ${b}, and now it is ${a}`, {
      file: place,
      hint: 'Resume with the same settings, or start anew in another folder',
    });
  }
}
