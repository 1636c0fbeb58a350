import type { CustomGradients } from '../../graph/autodiff/index.js';
import { Tensor } from '../../graph/tensor.js';
import { CLAIMS } from '../../train/claims.js';
import type { TrainingMethod } from '../../train/method.js';
import type { DenseLayer } from '../factorized/low-rank.js';
import type { LayerSelector } from '../factorized/select.js';
import { exportQuantized, type LayerCodes } from './export.js';
import { type LayerQuantizers, quantizeLayers } from './layers.js';
import { type InputStatistics, observeInputs } from './observe.js';
import { type QuantizedLayers, quantizedLayers } from './select.js';

/** Settings that all quantized training has. */
export interface QuantizedOptions {
  /** Which layers; default `inner`. */
  readonly layers?: QuantizedLayers | LayerSelector;
}

/** What tells one way of quantized training from another. */
export interface QuantizationScheme extends LayerQuantizers, LayerCodes {
  readonly name: string;
  readonly layers: QuantizedLayers | LayerSelector;
  /** Whether a weight may be 0 and stay so; binary weights may not, so that masks would have no effect. */
  readonly zeros: boolean;
  /** Parameters that begin at what the first batch shows of a layer's input: new values by name. */
  begin?(layer: DenseLayer, seen: InputStatistics): ReadonlyMap<string, number>;
  readonly gradientRules?: CustomGradients;
  readonly loss?: TrainingMethod['loss'];
}

/**
 * A training method that quantizes: layers compute with rounded weights and inputs from the first step on, gradients
 * pass the rounding straight through to weights that stay in float32, and the export keeps the integers alone.
 */
export function quantizedMethod(scheme: QuantizationScheme): TrainingMethod {
  let layers: readonly DenseLayer[] = [];
  return {
    name: scheme.name,
    claims: scheme.zeros ? [CLAIMS.numbers] : [CLAIMS.numbers, CLAIMS.masks],
    layerClaim: {
      of: network => quantizedLayers(network, scheme.layers).map(({ path }) => path),
      accepts: ['dense', 'shared', 'layers'],
    },
    ...(scheme.gradientRules && { gradientRules: scheme.gradientRules }),
    ...(scheme.loss && { loss: scheme.loss }),
    prepare(network, sizes) {
      layers = quantizeLayers(network, scheme.layers, scheme, sizes);
    },
    async started(run) {
      if (!scheme.begin || run.update > 0) return;
      const seen = await observeInputs(run, layers);
      for (const layer of layers) {
        for (const [name, value] of scheme.begin(layer, seen.get(layer)!)) {
          const { dtype, dims } = run.read(name);
          run.write(name, Tensor.fromNumbers(dtype, dims, [value]));
        }
      }
    },
    exportModel: model => exportQuantized(model, layers, scheme),
  };
}
