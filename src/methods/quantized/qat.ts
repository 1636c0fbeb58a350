import { stopGradient, straightThrough } from '../../graph/autodiff/index.js';
import type { Value } from '../../graph/value.js';
import { constant } from '../../nn/index.js';
import { choice, integer, number } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';
import { roundRows, weightMatrix } from './codes.js';
import { type LayerContext, summedAxes } from './layers.js';
import { type QuantizedOptions, quantizedMethod } from './quantized-method.js';
import { LAYERS } from './select.js';
import { largest, roundThrough } from './straight-through.js';

export interface QatOptions extends QuantizedOptions {
  /** Of weights, 2 to 8; default 8. */
  readonly bits?: number;
  /** Inputs of layers are rounded to uint8 (8, the default) or not at all (0). */
  readonly inputBits?: 0 | 8;
  /** How slowly ranges of inputs follow the batches; default 0.99. */
  readonly momentum?: number;
}

/** A row of zeros has a scale, too. */
const LEAST_SCALE = 2 ** -24;
const LOW = 'input_low';
const HIGH = 'input_high';

/**
 * Quantization-aware training: weights are symmetric integers with a scale for each output, s = max |w| / (2^(b−1) − 1),
 * computed anew at each step; inputs of layers are uint8 between the running minimum and maximum of what they were,
 * which begin at those of some training examples. Jacob et al., 2018, https://arxiv.org/abs/1712.05877.
 */
export function quantizationAware(options: QatOptions = {}): TrainingMethod {
  const { bits = 8, inputBits = 8, momentum = 0.99, layers = 'inner' } = options;
  const top = 2 ** (bits - 1) - 1;
  return quantizedMethod({
    name: 'qat',
    layers,
    zeros: true,
    weight({ b, weight, layer }) {
      const range = largest(b, b.op('Abs', [weight]), summedAxes(layer));
      const scale = stopGradient(b.graph, b.binary('Max', b.div(range, top), LEAST_SCALE));
      return straightThrough(b.graph, weight, b.mul(b.op('Round', [b.div(weight, scale)]), scale));
    },
    ...(inputBits === 8 && {
      input: context => runningRange(context, momentum),
      begin: ({ path }, { min, max }) =>
        new Map([
          [`${path}.${LOW}`, Math.min(0, min)],
          [`${path}.${HIGH}`, Math.max(0, max)],
        ]),
      inputCode(layer, read) {
        const [low, high] = [LOW, HIGH].map(name => read(`${layer.path}.${name}`).toFloat32()[0]!);
        return affine(low!, high!);
      },
    }),
    weightCodes(layer, read) {
      const matrix = weightMatrix(layer, read(layer.weight.name));
      const scales = rowScales(matrix, top);
      return [{ bits, q: roundRows(matrix, scales, -top, top), scales }];
    },
  });
}

/** max |w| / top of each row, in float32 as the graph computes it. */
function rowScales({ data, rows, cols }: ReturnType<typeof weightMatrix>, top: number): Float32Array {
  const scales = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let range = 0;
    for (let c = 0; c < cols; c++) range = Math.max(range, Math.abs(data[r * cols + c]!));
    scales[r] = Math.max(Math.fround(range / top), LEAST_SCALE);
  }
  return scales;
}

/** x as it is once it was uint8; moves the range in training. Gradients pass inside of the range. */
function runningRange({ b, scope, input: x }: LayerContext, momentum: number): Value {
  const { network } = scope;
  const zero = { kind: 'buffer', initializer: constant(0) } as const;
  const low = scope.parameter(LOW, [], zero);
  const high = scope.parameter(HIGH, [], { kind: 'buffer', initializer: constant(1) });
  if (network.training) {
    const follow = (past: Value, now: Value): Value =>
      b.add(b.mul(past, momentum), b.mul(stopGradient(b.graph, now), 1 - momentum));
    const least = b.op('ReduceMin', [x], { keepdims: 0 });
    network.updates.set(low.name, follow(low, b.binary('Min', least, 0)));
    network.updates.set(high.name, follow(high, b.binary('Max', largest(b, x), 0)));
  }
  const scale = b.binary('Max', b.div(b.sub(high, low), 255), LEAST_SCALE);
  const zeroPoint = b.op('Round', [b.div(b.neg(low), scale)]);
  const u = b.op('Clip', [b.div(x, scale), b.neg(zeroPoint), b.sub(255, zeroPoint)]);
  return b.mul(roundThrough(b, u), scale);
}

/** Scale and zero point, in float32 as the graph computes them. */
function affine(low: number, high: number): { scale: number; zero: number; dtype: 'uint8' } {
  const scale = Math.max(Math.fround(Math.fround(high - low) / 255), LEAST_SCALE);
  return { scale, zero: Math.round(Math.fround(-low / scale)), dtype: 'uint8' };
}

export const QAT = defineMethod({
  name: 'qat',
  family: 'quantized',
  summary: 'Layers compute with int8 or int4 weights and uint8 inputs while they learn.',
  paper: {
    title: 'Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference',
    authors: 'Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam, Kalenichenko',
    year: 2018,
    url: 'https://arxiv.org/abs/1712.05877',
  },
  settings: {
    bits: integer(8, { min: 2, max: 8, description: 'of weights' }),
    inputs: choice('uint8', ['uint8', 'float32'], 'how inputs of layers are rounded'),
    momentum: number(0.99, { min: 0, max: 1, description: 'how slowly ranges of inputs follow the batches' }),
    layers: LAYERS,
  },
  create: ({ inputs, ...options }) =>
    quantizationAware({ ...options, inputBits: inputs === 'uint8' ? 8 : 0 }),
});
