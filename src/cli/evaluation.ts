import type { EvalFunction } from '../data/evaluation.js';
import { WhittleError } from '../graph/errors.js';

/** Loads the user's evaluation; what it throws is reported as the user's own, not as a bug of ours. */
export async function loadEvaluation(file: string): Promise<EvalFunction> {
  const { loadEvalFunction } = await import('../data/modules.node.js');
  const evaluate = await loadEvalFunction(file);
  return async (runner, context) => {
    try {
      return await evaluate(runner, context);
    } catch (cause) {
      if (cause instanceof WhittleError || context.signal?.aborted) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new WhittleError(`the evaluation failed: ${reason}`, {
        file,
        hint: 'Run with --verbose to see where',
        cause,
      });
    }
  };
}
