import type { Model } from '../graph/model.js';
import { createSession } from './create.js';
import type { Tensors } from './session.js';

/**
 * The outputs of a model for several samples, one run each, in a session of its own.
 * @throws WhittleError as `createSession` and `Session.run` do
 */
export async function runSamples(
  model: Model,
  samples: readonly Tensors[],
  threads: number | undefined,
): Promise<Tensors[]> {
  const session = await createSession(model, threads === undefined ? {} : { threads });
  try {
    const outputs: Tensors[] = [];
    for (const sample of samples) outputs.push(await session.run(sample));
    return outputs;
  } finally {
    await session.release();
  }
}
