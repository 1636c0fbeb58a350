import { WhittleError } from '../graph/errors.js';
import { checkOptions } from './check-options.js';
import { Loop } from './loop.js';
import type { TrainOptions, TrainResult } from './options.js';

/**
 * Trains a network: steps, evaluations, checkpoints, logs. With `checkpoints.resume` it goes on where it was stopped or
 * killed, and on the CPU computes the same losses, to the last digit, as if it had not been.
 * @throws WhittleError for settings and data that make no sense, methods that do not combine, numbers that overflow, checkpoints that are damaged or
 *   cannot be saved
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  checkOptions(options);
  const own = await withOwnData(options);
  check(own);
  const loop = await Loop.open(own);
  try {
    return await loop.run();
  } finally {
    await loop.close();
  }
}

/** The options with the examples that methods put in the place of the given ones. */
async function withOwnData(options: TrainOptions): Promise<TrainOptions> {
  let { train } = options.data;
  for (const method of options.methods ?? []) train = (await method.trainOn?.(train)) ?? train;
  return { ...options, data: { ...options.data, train } };
}

function check({ batchSize, epochs, updates, data, network }: TrainOptions): void {
  if ((epochs === undefined) === (updates === undefined)) {
    throw new WhittleError('a training lasts either so many epochs or so many updates', {
      hint: 'Give one of epochs and updates',
    });
  }
  for (const [name, value] of Object.entries({ batchSize, epochs, updates })) {
    if (value === undefined || (value > 0 && (name === 'epochs' || Number.isInteger(value)))) continue;
    throw new WhittleError(`${name} must be positive${name === 'epochs' ? '' : ' and whole'}, not ${value}`);
  }
  for (const [split, dataset] of Object.entries(data)) {
    if (dataset && dataset.length === 0) throw new WhittleError(`the data set "${split}" is empty`);
  }
  for (const input of network.inputs) {
    const field = data.train.fields[input.name];
    if (!field) {
      throw new WhittleError('the data set has nothing for an input of the network', {
        value: input.name,
        hint: `It has ${Object.keys(data.train.fields).join(', ')}`,
      });
    }
    const shape = input.shape?.slice(1);
    const fits =
      !shape ||
      (shape.length === field.shape.length &&
        shape.every((dim, i) => typeof dim !== 'number' || dim === field.shape[i]));
    if (fits && field.dtype === input.dtype) continue;
    throw new WhittleError(
      `the network takes examples of ${input.dtype} [${shape?.join(', ')}], the data set has ${field.dtype} [${field.shape.join(', ')}]`,
      { value: input.name },
    );
  }
}
