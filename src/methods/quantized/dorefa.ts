import { customGradient, stopGradient, straightThrough } from '../../graph/autodiff/index.js';
import type { Graph } from '../../graph/graph.js';
import type { Builder } from '../../graph/ops/builder.js';
import type { Vjp } from '../../graph/ops/index.js';
import type { Value } from '../../graph/value.js';
import { hashedNumbers } from '../../nn/seed-dropout.js';
import { integer } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { meanSizes, roundHalfEven, signCode, type WeightCode, weightMatrix } from './codes.js';
import type { LayerContext } from './layers.js';
import { type QuantizedOptions, quantizedMethod } from './quantized-method.js';
import { LAYERS } from './select.js';
import { clip, largest, meanOf, roundThrough, signOf } from './straight-through.js';

export interface DorefaOptions extends QuantizedOptions {
  /** Of weights, 1 to 8; default 1. */
  readonly bits?: number;
  /** Of inputs of layers, 1 to 8, or 32 for none; default 2. */
  readonly inputBits?: number;
  /** Of gradients of the layers' outputs, 1 to 8, or 32 for none; default 6. */
  readonly gradientBits?: number;
}

const FLOAT = 32;
const RULE = 'dorefa gradient';

/**
 * DoReFa-Net: weights, inputs and gradients of few bits. With quantize_k(r) = round((2ᵏ − 1)·r) / (2ᵏ − 1) on [0, 1]:
 * weights are 2·quantize_k(tanh w / (2 max |tanh w|) + ½) − 1, or sign(w)·E|w| for one bit; inputs are
 * quantize_k(clip(x, 0, 1)); gradients of layers' outputs are 2m·(quantize_k(g/2m + ½ + N) − ½) with m the largest |g| of
 * each example and N uniform in ±½ / (2ᵏ − 1). All roundings are passed straight through; m and max |tanh w| count as
 * constants. Zhou et al., 2016, https://arxiv.org/abs/1606.06160.
 */
export function dorefa(options: DorefaOptions = {}): TrainingMethod {
  const { bits = 1, inputBits = 2, gradientBits = 6, layers = 'inner' } = options;
  /** Of the noise, in each graph that has some: a probe's has none. */
  const seeds = new WeakMap<Graph, Value>();
  return quantizedMethod({
    name: 'dorefa',
    layers,
    zeros: false,
    weight: ({ b, weight }) => (bits === 1 ? binary(b, weight) : fewBits(b, weight, bits)),
    ...(inputBits < FLOAT && {
      input: ({ b, input }: LayerContext) => quantize(b, clip(b, input, 0, 1), inputBits),
    }),
    ...(gradientBits < FLOAT && {
      product: ({ b }: LayerContext, y: Value) => customGradient(b.op('Identity', [y]), RULE),
      gradientRules: { [RULE]: gradientRule(gradientBits, seeds) },
      loss(context, loss) {
        const of = ({ seed, batch }: { seed: number; batch: number }) =>
          (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(batch + 1, 0x85ebca6b)) >>> 0;
        seeds.set(context.graph, context.scalar('gradient_noise', of, 'uint32'));
        return loss;
      },
    }),
    weightCodes(layer, read) {
      const matrix = weightMatrix(layer, read(layer.weight.name));
      if (bits > 1) return [codeOf(matrix, bits)];
      const sizes = meanSizes(matrix);
      const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
      return [signCode(matrix, () => mean)];
    },
  });
}

/** quantize_k, for numbers in [0, 1]. */
function quantize(b: Builder, r: Value, bits: number): Value {
  const levels = 2 ** bits - 1;
  return b.mul(roundThrough(b, b.mul(r, levels)), 1 / levels);
}

const binary = (b: Builder, w: Value): Value =>
  straightThrough(b.graph, w, b.mul(signOf(b, w), meanOf(b, b.op('Abs', [w]))));

function fewBits(b: Builder, w: Value, bits: number): Value {
  const t = b.op('Tanh', [w]);
  const range = stopGradient(b.graph, b.mul(largest(b, b.op('Abs', [t])), 2));
  return b.sub(b.mul(quantize(b, b.add(b.div(t, range), 0.5), bits), 2), 1);
}

/** (2q − n)/n with q in 0 … n = 2ᵏ − 1, which is q′·2/n + 1/n with q′ = q − 2ᵏ⁻¹. */
function codeOf({ data, rows }: ReturnType<typeof weightMatrix>, bits: number): WeightCode {
  const levels = 2 ** bits - 1;
  const t = Float32Array.from(data, Math.tanh);
  const range = 2 * t.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const middle = 2 ** (bits - 1);
  const q = Int8Array.from(t, value => {
    const r = Math.fround(Math.fround(value / range) + 0.5);
    return roundHalfEven(Math.fround(r * levels)) - middle;
  });
  return {
    bits,
    q,
    scales: new Float32Array(rows).fill(2 / levels),
    offsets: new Float32Array(rows).fill(1 / levels),
  };
}

/** Quantizes the gradient that comes from above. */
function gradientRule(bits: number, seeds: WeakMap<Graph, Value>): Vjp {
  let place = 0;
  return ({ gradient: g, build: b, shape }) => {
    const axes = shape(0)
      .map((_, axis) => axis)
      .slice(1);
    const range = b.mul(b.binary('Max', largest(b, b.op('Abs', [g]), axes), 1e-30), 2);
    const levels = 2 ** bits - 1;
    let r = b.add(b.div(g, range), 0.5);
    const seed = seeds.get(b.graph);
    if (seed) {
      const noise = hashedNumbers(b.graph, g, seed, `gradient ${place++}`);
      r = b.add(r, b.mul(b.sub(noise, 0.5), 1 / levels));
    }
    const rounded = b.mul(b.op('Round', [b.mul(clip(b, r, 0, 1), levels)]), 1 / levels);
    return [b.mul(b.sub(rounded, 0.5), range)];
  };
}

export const DOREFA = defineMethod({
  name: 'dorefa',
  family: 'quantized',
  summary: 'Weights, inputs and gradients of few bits, down to one.',
  paper: {
    title: 'DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low Bitwidth Gradients',
    authors: 'Zhou, Wu, Ni, Zhou, Wen, Zou',
    year: 2016,
    url: 'https://arxiv.org/abs/1606.06160',
  },
  settings: {
    bits: integer(1, { min: 1, max: 8, description: 'of weights' }),
    inputBits: integer(2, {
      min: 1,
      max: 32,
      description: 'of inputs of layers; 32 leaves them as they are',
    }),
    gradientBits: integer(6, { min: 1, max: 32, description: 'of gradients; 32 leaves them as they are' }),
    layers: LAYERS,
  },
  create: dorefa,
});
