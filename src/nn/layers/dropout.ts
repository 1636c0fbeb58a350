import { WhittleError } from '../../graph/errors.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { Scope } from '../scope.js';

/**
 * Sets a share of the elements to zero and scales the rest by 1 / (1 − rate). Nothing in inference form. The training
 * form has ONNX's Dropout node, whose random numbers ONNX Runtime draws by itself; `seedDropout` makes them depend on
 * an input instead, so that a step can be repeated.
 * @throws WhittleError for a rate that is no share
 * Srivastava et al., JMLR 15 (2014).
 */
export function dropout(scope: Scope, x: Value, rate: number): Value {
  if (!(rate >= 0 && rate < 1)) {
    throw new WhittleError(`dropout of ${rate} leaves nothing to learn from`, {
      node: scope.path,
      hint: 'Give a share of at least 0 and below 1',
    });
  }
  if (!scope.training || rate === 0) return x;
  const training = scope.constant('dropout/training', () => Tensor.from('bool', [], Uint8Array.of(1)));
  return scope.op('Dropout', [x, scope.scalar(rate), training]);
}
