import { observeRanges, type Range } from '../../calibrate/ranges.js';
import type { Site } from '../../calibrate/sites.js';
import type { Model } from '../../graph/model.js';
import type { Value } from '../../graph/value.js';
import type { Tensors } from '../../runtime/index.js';
import { applyStatic, fitsStatic, tailValue, type UseRanges } from '../forms/static.js';
import type { Method } from '../method.js';
import { dequantizeRows, type QuantizedMatrix, quantizeRows } from '../rounding/quantizer.js';
import { INT8 } from './quantize.js';

/** What static integers need to know of each site's activations. */
export type StaticRanges = ReadonlyMap<Site, readonly UseRanges[]>;

/** The version of ONNX's operators that brought QLinearConv, which ONNX Runtime fuses to. */
const QLINEAR = 10;

/**
 * Finds the ranges of the activations around every convolution that can run in static integers; none in models of an
 * operator set before 10, which `upgradeOpset` raises.
 * @throws WhittleError naming the node whose activation is NaN or infinite
 */
export async function observeStaticRanges(
  model: Model,
  sites: readonly Site[],
  samples: readonly Tensors[],
  options: { threads?: number | undefined } = {},
): Promise<StaticRanges> {
  const fitting = model.opset < QLINEAR ? [] : sites.filter(fitsStatic);
  const values = fitting.flatMap(({ uses }) =>
    uses.flatMap(use => [use.node.inputs[0]!, use.node.output, tailValue(use)]),
  );
  const ranges = await observeRanges(model, values, samples, options);
  const rangeOf = (value: Value): Range => ranges.get(value)!;
  return new Map(
    fitting.map(site => [
      site,
      site.uses.map(use => ({
        input: rangeOf(use.node.inputs[0]!),
        output: rangeOf(use.node.output),
        tail: rangeOf(tailValue(use)),
      })),
    ]),
  );
}

/**
 * Convolutions in integers: int8 weights with a scale for each output channel, activations in uint8 with calibrated
 * ranges. (Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
 * inference", CVPR 2018.)
 */
export const int8Static = (ranges: StaticRanges): Method => ({
  name: 'int8-static',
  *propose({ site, matrix }) {
    const known = ranges.get(site);
    if (!known) return;
    let cached: QuantizedMatrix | undefined;
    const quantized = () => (cached ??= quantizeRows(matrix, INT8));
    yield {
      method: 'int8-static',
      label: 'int8 static',
      form: 'static',
      roundsActivations: true,
      weight: () => dequantizeRows(quantized()),
      apply: target => applyStatic(target, site, quantized(), known),
    };
  },
});
