import { WhittleError } from '../graph/errors.js';
import type { TrainOptions } from './options.js';
import type { Schedule } from './schedules/schedule.js';

/** @throws WhittleError for options of the loop that make no sense, or wait for an evaluation that never comes */
export function checkOptions(options: TrainOptions): void {
  const { learningRate, weightDecay, earlyStopping = { patience: 0 }, evaluation = {} } = options;
  const { patience, minimum } = earlyStopping;
  for (const [name, value] of Object.entries({ logEvery: options.logEvery, ...every(options) })) {
    if (value === undefined || (Number.isInteger(value) && value > 0)) continue;
    throw new WhittleError(`${name} must be positive and whole, not ${value}`);
  }
  if (evaluation.every !== undefined && !(evaluation.every > 0)) {
    throw new WhittleError(`evaluation.every must be positive, not ${evaluation.every}`);
  }
  const amounts = { 'earlyStopping.minimum': minimum, learningRate, weightDecay };
  for (const [name, value] of Object.entries(amounts)) {
    if (typeof value !== 'number' || (value >= 0 && Number.isFinite(value))) continue;
    throw new WhittleError(`${name} must be 0 or a positive number, not ${value}`);
  }
  if (!(patience >= 0)) {
    throw new WhittleError(`earlyStopping.patience is a number of evaluations, not ${patience}`);
  }
  if (!options.data.test) checkNothingWaits(options);
}

const every = ({ checkpoints }: TrainOptions) => ({ 'checkpoints.every': checkpoints?.every });

/** Without a test set nothing is evaluated: who waits for it would wait in silence. */
function checkNothingWaits({ learningRate, weightDecay, earlyStopping, evaluation }: TrainOptions): void {
  const waiting = {
    earlyStopping,
    'evaluation.goal': evaluation?.goal,
    'the schedule of learningRate': follows(learningRate),
    'the schedule of weightDecay': follows(weightDecay),
  };
  const found = Object.entries(waiting).find(([, value]) => value);
  if (!found) return;
  throw new WhittleError(`${found[0]} follows evaluations, and there is no test set to evaluate`, {
    hint: 'Give data.test, or leave it out',
  });
}

const follows = (rate: number | Schedule | undefined): boolean =>
  typeof rate === 'object' && rate.observe !== undefined;
