import { readFileSync, statSync } from 'node:fs';
import { WhittleError } from '../graph/errors.js';
import { readSquad, type SpanQuestion, type SquadLimits } from './squad.js';

/** SQuAD's training set is 30 MB; JavaScript holds texts up to 512. */
const MOST_BYTES = 400e6;

/**
 * Loads questions from a file in the format of SQuAD v1.1 (`train-v1.1.json`, `dev-v1.1.json`).
 * @throws WhittleError where it is missing, too large or damaged
 * https://rajpurkar.github.io/SQuAD-explorer/
 */
export function loadSquad(file: string, limits?: SquadLimits): SpanQuestion[] {
  const { size } = statSync(file, { throwIfNoEntry: false }) ?? {};
  if (size === undefined) {
    throw new WhittleError('there is no such file', {
      file,
      hint: 'Get train-v1.1.json and dev-v1.1.json from https://rajpurkar.github.io/SQuAD-explorer/',
    });
  }
  if (size > MOST_BYTES)
    throw new WhittleError(`a file of ${size} bytes is larger than ${MOST_BYTES}`, { file });
  return readSquad(readFileSync(file, 'utf8'), file, limits);
}
