import type { Builder } from '../../../graph/ops/builder.js';
import type { Value } from '../../../graph/value.js';
import type { AttentionLayer, LinearLayer, Network } from '../../../nn/index.js';
import type { StepContext } from '../../../train/step/context.js';
import { type AttentionProducts, attentionsOf } from './products.js';

/** Names of the weights of all attentions' projections. */
export const attentionParameters = (network: Network): string[] =>
  distinctAttentions(network).flatMap(({ projections, output }) =>
    [...projections, output].map(({ weight }) => weight.name),
  );

/**
 * λ times the gradient of ½ Σ_h ‖Q_h K_hᵀ‖² + ‖V_h O_hᵀ‖² over all attentions, where Q_h, K_h, V_h and O_h are the
 * (features × headDim) slices of the projections' weights that one head multiplies by.
 * @returns by the parameters' names
 */
export function attentionGradients(context: StepContext, lambda: Value): Map<string, Value> {
  const { b, network } = context;
  const found = new Map<string, Value>();
  // Attentions may share some of their weights.
  const add = (name: string, gradient: Value): void => {
    const other = found.get(name);
    found.set(name, other ? b.add(other, gradient) : gradient);
  };
  for (const { attention, projections, output } of distinctAttentions(network)) {
    const ins = projections.map(layer => headsOf(b, context.value(layer.weight.name), layer, attention));
    const [query, key, value] =
      ins.length === 1 ? splitThree(b, ins[0]!.heads) : ins.map(({ heads }) => heads);
    const out = headsOf(b, context.value(output.weight.name), output, attention, 'input');
    const [dQuery, dKey] = pairGradients(b, query!, key!, lambda);
    const [dValue, dOut] = pairGradients(b, value!, out.heads, lambda);
    add(output.weight.name, out.back(dOut));
    if (ins.length === 1) {
      add(projections[0]!.weight.name, ins[0]!.back(b.concat([dQuery, dKey, dValue], 0)));
      continue;
    }
    [dQuery, dKey, dValue].forEach((gradient, i) => {
      add(projections[i]!.weight.name, ins[i]!.back(gradient));
    });
  }
  return found;
}

/** Attentions with weights of their own; those that share all of them with an earlier one are the same products. */
function distinctAttentions(network: Network): AttentionProducts[] {
  const seen = new Set<string>();
  return attentionsOf(network).filter(({ projections, output }) => {
    const key = JSON.stringify([...projections, output].map(({ weight }) => weight.name));
    return !seen.has(key) && seen.add(key);
  });
}

/** The gradients of ½‖A_hᵀ B_h‖² for all heads at once; both (heads, headDim, features). */
function pairGradients(b: Builder, left: Value, right: Value, lambda: Value): [Value, Value] {
  const gram = (x: Value): Value => b.mul(b.matmul(x, b.transpose(x, [0, 2, 1])), lambda); // (heads, headDim, headDim)
  return [b.matmul(gram(right), left), b.matmul(gram(left), right)];
}

const splitThree = (b: Builder, x: Value): Value[] => {
  const third = x.fixedShape![0]! / 3;
  return [0, 1, 2].map(i => b.slice(x, [i * third], [(i + 1) * third], [0]));
};

/** A weight as (heads, headDim, features), and a gradient of that shape as one of the weight. */
function headsOf(
  b: Builder,
  weight: Value,
  { layout, inFeatures, outFeatures }: LinearLayer,
  { headDim }: AttentionLayer,
  side: 'input' | 'output' = 'output',
): { heads: Value; back: (gradient: Value) => Value } {
  const [inner, features] = side === 'output' ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
  const heads = inner / headDim;
  const innerFirst = (layout === 'out-in') === (side === 'output');
  if (innerFirst) {
    return {
      heads: b.reshape(weight, [heads, headDim, features]),
      back: gradient => b.reshape(gradient, [inner, features]),
    };
  }
  return {
    heads: b.reshape(b.transpose(weight, [1, 0]), [heads, headDim, features]),
    back: gradient => b.transpose(b.reshape(gradient, [inner, features]), [1, 0]),
  };
}
