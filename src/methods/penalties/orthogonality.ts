import { Graph } from '../../graph/graph.js';
import { Builder } from '../../graph/ops/builder.js';
import type { Value } from '../../graph/value.js';
import { integer } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import type { StepContext } from '../../train/step/context.js';
import { defineMethod } from '../entry.js';
import { type PenaltyOptions, penalizedLayers, penaltyClaim, penaltySettings } from './penalized.js';

export interface SoftOrthogonalityOptions extends PenaltyOptions {
  /** Updates from one gradient of the penalty to the next, which counts so many times; default 1. */
  readonly interval?: number;
}

/**
 * Soft orthogonality: λ/4 ‖WᵀW − I‖²_F, or of WWᵀ where W has fewer rows than columns; a kernel is the (out, in·kh·kw)
 * matrix. The gradient is λ W (WᵀW − I). Unlike `decay=orthogonal` of factorized layers it acts on whole weights.
 * Bansal, Chen & Wang, NeurIPS 2018, https://arxiv.org/abs/1810.09102, equation 4; there with every update. It takes
 * 4·in·out·min(in, out) operations whatever the batch, so that `interval` is a choice of ours.
 */
export function softOrthogonality({
  strength,
  layers,
  interval = 1,
}: SoftOrthogonalityOptions): TrainingMethod {
  let weights: ReadonlySet<string> = new Set();
  return {
    name: 'orthogonality',
    claims: ['the orthogonality of weights'],
    layerClaim: penaltyClaim(layers),
    prepare(network) {
      weights = new Set(penalizedLayers(network, layers).keys());
    },
    separates: ({ name }) => weights.has(name),
    penalty(context, unit) {
      if (unit.parameters.length > 1 || !weights.has(unit.name)) return undefined;
      const weight = context.value(unit.name);
      if (interval === 1) return orthogonalityGradient(context.b, weight, strength);
      const due = context.scalar(
        `orthogonality_due_${interval}`,
        ({ update }) => Number(update % interval === 0),
        'bool',
      );
      return onlyWhere(context, due, weight, b => orthogonalityGradient(b, weight, strength * interval));
    },
  };
}

/** λ W (WᵀW − I), or λ (WWᵀ − I) W, whichever has the smaller products. */
function orthogonalityGradient(b: Builder, weight: Value, strength: number): Value {
  const dims = weight.fixedShape!;
  const rows = dims[0]!;
  const cols = dims.slice(1).reduce((product, dim) => product * dim, 1);
  const w = dims.length === 2 ? weight : b.reshape(weight, [rows, cols]);
  const tall = rows >= cols;
  const gram = b.gemm(w, w, { transA: tall, transB: !tall });
  // The product subtracts λW by itself: no identity is stored, and nothing passes over the square matrix.
  const gradient = b.op('Gemm', [...(tall ? [w, gram] : [gram, w]), w], { alpha: strength, beta: -strength });
  return dims.length === 2 ? gradient : b.reshape(gradient, dims);
}

/** What `build` makes, of the shape of `like`, in steps where the condition holds, which alone compute it; else zeros. */
function onlyWhere(
  { b, graph }: StepContext,
  condition: Value,
  like: Value,
  build: (b: Builder) => Value,
): Value {
  const branch = (name: string, of: (b: Builder) => Value): Graph => {
    const body = new Graph(graph.freshName(name));
    const inner = new Builder(body, { opset: b.opset });
    inner.scope = `${body.name}/`;
    const result = of(inner);
    result.type = like.type;
    body.addOutput(result);
    return body;
  };
  const chosen = graph.op('If', [condition], {
    then_branch: branch('due', build),
    else_branch: branch('not_due', inner => inner.op('ConstantOfShape', [inner.ints(like.fixedShape!)])),
  });
  chosen.type = like.type;
  return chosen;
}

export const ORTHOGONALITY = defineMethod({
  name: 'orthogonality',
  family: 'penalty',
  summary: 'Rows or columns of each weight are drawn towards an orthonormal system.',
  paper: {
    title: 'Can We Gain More from Orthogonality Regularizations in Training Deep CNNs?',
    authors: 'Bansal, Chen, Wang',
    year: 2018,
    url: 'https://arxiv.org/abs/1810.09102',
  },
  settings: {
    ...penaltySettings(1e-2),
    interval: integer(1, {
      min: 1,
      description: 'updates from one gradient of the penalty to the next, which counts so many times',
    }),
  },
  create: softOrthogonality,
});
