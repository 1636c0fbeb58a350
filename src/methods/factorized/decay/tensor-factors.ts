import type { Builder } from '../../../graph/ops/builder.js';
import type { Value } from '../../../graph/value.js';
import type { FactorizedLayer } from '../../../nn/index.js';
import { leftFactor, rightFactor } from './matrix-factor.js';

/**
 * λ times the gradient of ½‖W‖²_F for the factors of a Tucker-2 or CP kernel W, which is never formed.
 * @param present the value of a parameter
 * @returns by the parameters' names
 */
export const tensorGradients = (
  b: Builder,
  layer: FactorizedLayer,
  present: (name: string) => Value,
  lambda: Value,
): Map<string, Value> =>
  (layer.form === 'cp' ? cpGradients : tuckerGradients)(b, layer.factors, present, lambda);

type Gradients = (
  b: Builder,
  factors: readonly string[],
  present: (name: string) => Value,
  lambda: Value,
) => Map<string, Value>;

/** ‖W‖² is the sum of the elementwise product of all Gram matrices; each factor meets the product of the others'. */
const cpGradients: Gradients = (b, names, present, lambda) => {
  const factors = names.map((name, i) => (i === 0 ? leftFactor : rightFactor)(b, name, present(name)));
  return new Map(
    factors.map(factor => {
      const others = factors.filter(other => other !== factor);
      return [factor.name, factor.times(others.reduce((g, other) => b.mul(g, other.gram), lambda))];
    }),
  );
};

/** With C the core: dC = G_O C G_I, and each outer factor meets the core's Gram matrix in the metric of the other. */
const tuckerGradients: Gradients = (b, [outputs, core, inputs], present, lambda) => {
  const left = leftFactor(b, outputs!, present(outputs!));
  const right = rightFactor(b, inputs!, present(inputs!));
  const value = present(core!);
  const dims = value.fixedShape!;
  const [rankOut, rankIn, height, width] = dims as [number, number, number, number];
  const space = height * width;
  const byOutput = b.reshape(value, [rankOut, rankIn * space]);
  /** (a, b · space) → (b, a · space) */
  const turned = (x: Value, first: number, second: number): Value =>
    b.reshape(b.transpose(b.reshape(x, [first, second, space]), [1, 0, 2]), [second, first * space]);
  const byInput = turned(byOutput, rankOut, rankIn);
  const alongInputs = b.gemm(right.gram, byInput); // (rᵢ, rₒ · space)
  const seenFromOutputs = turned(alongInputs, rankIn, rankOut); // (rₒ, rᵢ · space)
  const alongOutputs = turned(b.gemm(left.gram, byOutput), rankOut, rankIn); // (rᵢ, rₒ · space)
  const scaled = (x: Value): Value => b.mul(x, lambda);
  return new Map([
    [left.name, left.times(scaled(b.gemm(byOutput, seenFromOutputs, { transB: true })))],
    [core!, b.reshape(b.gemm(scaled(left.gram), seenFromOutputs), dims)],
    [right.name, right.times(scaled(b.gemm(byInput, alongOutputs, { transB: true })))],
  ]);
};
