import { straightThrough } from '../../graph/autodiff/index.js';
import type { Value } from '../../graph/value.js';
import { type ConvLayer, hashedMask, type LinearLayer } from '../../nn/index.js';
import { CLAIMS } from '../../train/claims.js';
import { integer, number } from '../../train/config/settings.js';
import type { TrainingMethod } from '../../train/method.js';
import type { StepContext } from '../../train/step/context.js';
import { defineMethod } from '../entry.js';
import { largest } from '../quantized/straight-through.js';
import {
  outputsOf,
  type PenaltyOptions,
  penalizedLayers,
  penaltyClaim,
  penaltySettings,
} from './penalized.js';

export interface QuantizationNoiseOptions extends Pick<PenaltyOptions, 'layers'> {
  /** Of the grid, symmetric with a scale for each output. */
  readonly bits: number;
  /** Share of the weights that are rounded in a step. */
  readonly rate: number;
}

/** A row of zeros has a scale, too. */
const LEAST_SCALE = 2 ** -24;

/**
 * Quant-Noise: in each step other weights, drawn at random, are rounded as a quantizer would round them, and gradients
 * pass the rounding straight through. Evaluation and export have the weights as they are. Fan et al., 2021,
 * https://arxiv.org/abs/2004.07320, with single weights as blocks; int8 and int4 of its section 4.2.
 */
export function quantizationNoise({ layers, ...noise }: QuantizationNoiseOptions): TrainingMethod {
  let chosen: ReadonlyMap<string, LinearLayer | ConvLayer> = new Map();
  return {
    name: 'quantization-noise',
    claims: [CLAIMS.numbers],
    layerClaim: penaltyClaim(layers),
    prepare(network) {
      chosen = penalizedLayers(network, layers);
    },
    // The step alone has the noise: its forward pass is there by now, and reads what takes the weights' place.
    loss(context, loss) {
      for (const [name, layer] of chosen) {
        const weight = context.value(name);
        const readers = [...weight.consumers];
        const noisy = withNoise(context, weight, layer, noise);
        for (const node of readers) {
          node.inputs.forEach((input, i) => {
            if (input === weight) node.setInput(i, noisy);
          });
        }
      }
      return loss;
    },
  };
}

/** w where the dice say so, else w rounded; the gradient is that of w. */
function withNoise(
  context: StepContext,
  weight: Value,
  layer: LinearLayer | ConvLayer,
  { bits, rate }: Omit<QuantizationNoiseOptions, 'layers'>,
): Value {
  const { b, graph } = context;
  if (rate === 0) return weight;
  const others = layer.weight.dims.map((_, axis) => axis).filter(axis => axis !== outputsOf(layer));
  const range = largest(b, b.op('Abs', [weight]), others);
  const scale = b.binary('Max', b.div(range, 2 ** (bits - 1) - 1), LEAST_SCALE);
  const rounded = b.mul(b.op('Round', [b.div(weight, scale)]), scale);
  if (rate === 1) return straightThrough(graph, weight, rounded);
  const seed = context.scalar(
    'quantization_noise_seed',
    ({ seed, batch }) => (Math.imul(seed + 1, 0x9e3779b9) ^ batch) >>> 0,
    'uint32',
  );
  const kept = hashedMask(graph, weight, seed, `quantization noise/${layer.weight.name}`, rate);
  return straightThrough(graph, weight, b.where(kept, weight, rounded));
}

export const QUANTIZATION_NOISE = defineMethod({
  name: 'quantization-noise',
  family: 'penalty',
  summary: 'In each step a random part of the weights is rounded; the result stays in floats.',
  paper: {
    title: 'Training with Quantization Noise for Extreme Model Compression',
    authors: 'Fan, Stock, Graham, Grave, Gribonval, Jégou, Joulin',
    year: 2021,
    url: 'https://arxiv.org/abs/2004.07320',
  },
  settings: {
    bits: integer(4, { min: 2, max: 8, description: 'of the grid that weights are rounded to' }),
    rate: number(0.5, { min: 0, max: 1, description: 'share of the weights that are rounded in a step' }),
    layers: penaltySettings(0).layers,
  },
  create: quantizationNoise,
});
