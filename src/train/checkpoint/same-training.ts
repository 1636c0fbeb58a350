import { WhittleError } from '../../graph/errors.js';
import type { Goal, SavedBest } from '../early-stopping.js';
import type { Progress } from './checkpoint.js';

/**
 * A training goes on only with the seed, the settings and the goal that it began with.
 * @param place where the checkpoint is, for messages
 * @throws WhittleError naming what differs
 */
export function checkSameTraining(
  began: Progress,
  now: {
    readonly seed: number;
    readonly settings: Readonly<Record<string, unknown>> | undefined;
    readonly goal: Goal;
  },
  place: string,
): void {
  if (now.settings) checkSettings(now.settings, began.settings ?? {}, place);
  if (began.seed !== now.seed) {
    throw new WhittleError(`the training began with seed ${began.seed}`, { file: place });
  }
  // Absent in checkpoints of earlier versions.
  const goal = (began.saved.best as SavedBest | undefined)?.goal;
  if (goal && inWords(goal) !== inWords(now.goal)) {
    throw new WhittleError(
      `the training began with ${inWords(goal)} as its goal, and now it is ${inWords(now.goal)}`,
      { file: place, hint: 'Resume with the same evaluation.goal, or start anew in another folder' },
    );
  }
}

const inWords = ({ metric, betterIs }: Goal): string =>
  `the ${betterIs === 'higher' ? 'highest' : 'lowest'} ${metric}`;

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
