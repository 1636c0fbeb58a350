import { Tensor } from '../../../graph/tensor.js';
import type { Value } from '../../../graph/value.js';
import type { Network, Parameter } from '../../../nn/index.js';
import type { TrainingMethod } from '../../../train/index.js';
import type { StepContext } from '../../../train/step/context.js';
import { parameterSize, type Unit } from '../../../train/step/units.js';

/** The gradient of a regularizer of factors, by the name of the parameter. */
export type FactorGradients = ReadonlyMap<string, Value>;

export interface FactorPenalty {
  readonly name: string;
  /** The parameters that it concerns; they lose their ordinary weight decay. */
  parameters(network: Network): Iterable<string>;
  /** Builds the gradients, once for each step; none where there is nothing to add. */
  gradients?(context: StepContext): FactorGradients;
}

/**
 * A training method that takes the place of weight decay for factors. Coupled (added to the gradient) or decoupled, as
 * the optimizer treats weight decay.
 */
export function factorPenalty({ name, parameters, gradients }: FactorPenalty): TrainingMethod {
  let names: ReadonlySet<string> = new Set();
  const built = new WeakMap<StepContext, FactorGradients>();
  const gradientsOf = (context: StepContext): FactorGradients => {
    const known = built.get(context) ?? gradients!(context);
    built.set(context, known);
    return known;
  };
  return {
    name,
    prepare(network) {
      names = new Set(parameters(network));
    },
    replacesWeightDecay: (parameter: Parameter) => names.has(parameter.name),
    ...(gradients && {
      penalty: (context: StepContext, unit: Unit) => ofUnit(context, unit, gradientsOf(context)),
    }),
  };
}

/** The gradients of a unit's parameters, laid end to end as the unit is, with zeros for those that have none. */
function ofUnit(context: StepContext, unit: Unit, gradients: FactorGradients): Value | undefined {
  const { parameters } = unit;
  if (!parameters.some(({ name }) => gradients.has(name))) return undefined;
  if (parameters.length === 1) return gradients.get(parameters[0]!.name);
  const { b } = context;
  const parts: Value[] = [];
  let zeros = 0;
  const flush = (): void => {
    if (zeros > 0) parts.push(b.constant(Tensor.float32([zeros], new Float32Array(zeros)), `zeros ${zeros}`));
    zeros = 0;
  };
  for (const parameter of parameters) {
    const gradient = gradients.get(parameter.name);
    if (!gradient) {
      zeros += parameterSize(parameter);
      continue;
    }
    flush();
    parts.push(b.reshape(gradient, [parameterSize(parameter)]));
  }
  flush();
  return b.concat(parts, 0);
}
