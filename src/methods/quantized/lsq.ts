import { substitute } from '../../graph/dims.js';
import type { Builder } from '../../graph/ops/builder.js';
import { sizeOf } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { constant } from '../../nn/index.js';
import { flag, integer } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { meanSizes, roundRows, weightMatrix } from './codes.js';
import { isNonNegative, type LayerContext, perOutput } from './layers.js';
import { type QuantizedOptions, quantizedMethod } from './quantized-method.js';
import { LAYERS } from './select.js';
import { clip, roundThrough, scaleGradient } from './straight-through.js';

export interface LsqOptions extends QuantizedOptions {
  /** Of weights, 2 to 8; default 4. */
  readonly bits?: number;
  /** Of inputs of layers, 2 to 8, or 0 for float32; default 8. */
  readonly inputBits?: number;
  /** A step for each output of a layer, where the paper has one for the layer; default false. */
  readonly perOutput?: boolean;
}

/** The integers that a quantizer has: −Q_N … Q_P. */
interface Levels {
  readonly low: number;
  readonly high: number;
}

const signed = (bits: number): Levels => ({ low: -(2 ** (bits - 1)), high: 2 ** (bits - 1) - 1 });
const unsigned = (bits: number): Levels => ({ low: 0, high: 2 ** bits - 1 });

/** Steps stay above this, whatever the optimizer does. */
const LEAST_STEP = 2 ** -20;
const WEIGHT_STEP = 'weight_step';
const INPUT_STEP = 'input_step';

/**
 * Learned step size quantization. A value v becomes round(clip(v/s, −Q_N, Q_P))·s, and the step s is a parameter. With
 * the rounding passed straight through, its gradient is round(v/s) − v/s inside and −Q_N or Q_P outside of the clip,
 * and is multiplied by 1/√(N·Q_P), N the number of values that share the step. Steps begin at 2⟨|v|⟩/√Q_P, of the
 * initial weights and of inputs on some training examples. Inputs that are never negative get unsigned integers.
 * Esser et al., 2020, https://arxiv.org/abs/1902.08153.
 */
export function learnedSteps(options: LsqOptions = {}): TrainingMethod {
  const { bits = 4, inputBits = 8, perOutput: each = false, layers = 'inner' } = options;
  const weights = signed(bits);
  const inputs = new Map<string, Levels>();
  const stepOf = (size: number, { high }: Levels): number =>
    Math.max((2 * size) / Math.sqrt(high), LEAST_STEP);
  return quantizedMethod({
    name: 'lsq',
    layers,
    zeros: true,
    weight({ b, scope, layer, weight }) {
      const { network } = scope;
      const sizes = meanSizes(weightMatrix(layer, network.tensor(layer.weight.name)));
      const total = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
      const steps = Array.from(each ? sizes : [total], size => stepOf(size, weights));
      const step = scope.parameter(WEIGHT_STEP, each ? perOutput(layer) : [], {
        kind: 'scale',
        initializer: () => Float32Array.from(steps),
      });
      return learned(b, weight, step, weights, sizeOf(layer.weight.dims) / steps.length);
    },
    ...(inputBits > 0 && {
      input: ({ b, scope, layer, input, sizes }: LayerContext) => {
        const levels = isNonNegative(input) ? unsigned(inputBits) : signed(inputBits);
        inputs.set(layer.path, levels);
        const step = scope.parameter(INPUT_STEP, [], { kind: 'scale', initializer: constant(1) });
        return learned(b, input, step, levels, features(input, sizes));
      },
      begin: ({ path }, { size }) => new Map([[`${path}.${INPUT_STEP}`, stepOf(size, inputs.get(path)!)]]),
    }),
    // QuantizeLinear knows 8 bits; fewer stay the operators of the training.
    ...(inputBits === 8 && {
      inputCode(layer, read) {
        const scale = Math.max(read(`${layer.path}.${INPUT_STEP}`).toFloat32()[0]!, LEAST_STEP);
        return { scale, zero: 0, dtype: inputs.get(layer.path)!.low === 0 ? 'uint8' : 'int8' };
      },
    }),
    weightCodes(layer, read) {
      const matrix = weightMatrix(layer, read(layer.weight.name));
      const steps = read(`${layer.path}.${WEIGHT_STEP}`).toFloat32();
      const scales = Float32Array.from({ length: matrix.rows }, (_, r) =>
        Math.max(steps[each ? r : 0]!, LEAST_STEP),
      );
      return [{ bits, q: roundRows(matrix, scales, weights.low, weights.high), scales }];
    },
  });
}

/** round(clip(v/s, low, high))·s. */
function learned(b: Builder, v: Value, step: Value, { low, high }: Levels, count: number): Value {
  const s = scaleGradient(b, step, 1 / Math.sqrt(count * high), LEAST_STEP);
  return b.mul(roundThrough(b, clip(b, b.div(v, s), low, high)), s);
}

/** Values of one example, as far as sizes are known. */
function features({ shape }: Value, sizes: LayerContext['sizes']): number {
  const table = new Map(Object.entries(sizes));
  const dims = (shape ?? []).slice(1).map(dim => substitute(dim, table));
  return dims.reduce<number>((n, dim) => (typeof dim === 'number' ? n * dim : n), 1);
}

export const LSQ = defineMethod({
  name: 'lsq',
  family: 'quantized',
  summary: 'Weights and inputs are rounded to multiples of step sizes that are learned with them.',
  paper: {
    title: 'Learned Step Size Quantization',
    authors: 'Esser, McKinstry, Bablani, Appuswamy, Modha',
    year: 2020,
    url: 'https://arxiv.org/abs/1902.08153',
  },
  settings: {
    bits: integer(4, { min: 2, max: 8, description: 'of weights' }),
    inputBits: integer(8, { min: 0, max: 8, description: 'of inputs of layers; 0 leaves them in float32' }),
    perOutput: flag(false, 'a step for each output of a layer, not one for the layer'),
    layers: LAYERS,
  },
  create: learnedSteps,
});
