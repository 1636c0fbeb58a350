import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { upgradeOpset } from '../onnx/opset/upgrade.js';
import type { Method } from './method.js';

/** Raises the operator set where every node has an equivalent; otherwise newer operators are not used. */
export function raiseOpset(model: Model, target: number): void {
  try {
    if (model.opset < target) upgradeOpset(model, target);
  } catch (error) {
    if (!(error instanceof WhittleError)) throw error;
  }
}

/**
 * Raises the operator set to what the methods write.
 * @throws WhittleError where a node has no equivalent
 */
export function raiseFor(model: Model, methods: readonly Method[]): void {
  for (const { name, opset } of methods) {
    if (opset === undefined || model.opset >= opset) continue;
    const from = model.opset;
    try {
      upgradeOpset(model, opset);
    } catch (cause) {
      if (!(cause instanceof WhittleError)) throw cause;
      throw new WhittleError(
        `"${name}" writes operators of set ${opset}, and this model of set ${from} cannot be raised to it`,
        {
          ...cause.place,
          hint: `Export it with operator set ${opset} or newer, or leave the method out`,
          cause,
        },
      );
    }
  }
}
