import { toFloat16 } from '../../graph/tensor.js';
import { formatLabel } from '../forms/factor.js';
import { foldFloat16, foldIntegers } from '../forms/fold.js';
import type { Layer } from '../layer.js';
import { fromMatrix } from '../matrix.js';
import type { Candidate, Method, RewriteTarget } from '../method.js';
import { quantizeBalanced } from '../rounding/balance.js';
import { quantizeWithFeedback } from '../rounding/error-feedback.js';
import {
  dequantizeRows,
  FLOAT16_MAX,
  type IntegerFormat,
  type QuantizedMatrix,
  quantizeForStorage,
  repeatRows,
} from '../rounding/quantizer.js';
import { refitScales } from '../rounding/refit-scales.js';

export const INT8: IntegerFormat = { bits: 8, block: 0 };
export const INT4: IntegerFormat = { bits: 4, block: 32 };

/**
 * Fewest bits first; blocks are about so long. Fewer bits want smaller blocks: their scales then cost less than the
 * error they save.
 */
const FORMATS: readonly IntegerFormat[] = [
  { bits: 2, block: 16 },
  { bits: 3, block: 24 },
  { bits: 4, block: 64 },
  { bits: 4, block: 24 },
  { bits: 5, block: 64 },
  { bits: 5, block: 24 },
  { bits: 6, block: 64 },
  { bits: 6, block: 24 },
  { bits: 7, block: 48 },
  INT8,
  { bits: 8, block: 32 },
];

/** In smaller layers the nodes that balancing needs take more than it saves. */
const BALANCED_FROM = 4096;

/** Blocks of equal length, near the one wanted: a short last block would be filled up with zeros, which take bytes. */
export function fitBlock({ bits, block }: IntegerFormat, cols: number): IntegerFormat {
  const blocks = block === 0 ? 1 : Math.max(1, Math.round(cols / block));
  return { bits, block: blocks === 1 ? 0 : Math.ceil(cols / blocks) };
}

/**
 * Quantization of the weight alone; the activations stay as they are. 2 to 8 bits with a scale per output or per block,
 * float16 where even that is too coarse. With calibration, errors of rounding are fed back (GPTQ); without, weights are
 * rounded to nearest.
 */
export const quantize: Method = {
  name: 'quantize',
  *propose(layer) {
    const { cols } = layer.matrix;
    const formats = new Map(FORMATS.map(format => fitBlock(format, cols)).map(f => [formatLabel(f), f]));
    for (const format of formats.values()) yield quantizeCandidate(layer, format);
    const half = float16Candidate(layer);
    if (half) yield half;
  },
};

/** The weight as float16; `undefined` where it is one already, or too large for it. */
function float16Candidate(layer: Layer): Candidate | undefined {
  const { tensor, layout } = layer.site;
  if (tensor.dtype === 'float16' || tensor.dtype === 'bfloat16') return undefined;
  if (layer.matrix.data.some(v => Math.abs(v) > FLOAT16_MAX)) return undefined;
  return {
    method: 'quantize',
    label: 'float16',
    bits: 16,
    weight: () => layer.matrix.data.map(toFloat16),
    error: () => halfError(layer.sample ?? layer),
    apply({ graph, value, opset }) {
      const data = fromMatrix(layer.matrix.data, tensor.dims, layout);
      const half = foldFloat16(graph, data, { dims: tensor.dims, dtype: tensor.dtype, layout, opset });
      graph.replaceUses(value, half);
    },
  };
}

const halfError = (layer: Layer): number => layer.error(layer.matrix.data.map(toFloat16));

/** @param given the integers, where they are known; else the layer is rounded when it is asked for */
export function quantizeCandidate(layer: Layer, format: IntegerFormat, given?: QuantizedMatrix): Candidate {
  const { tensor, layout } = layer.site;
  // Rounding is costly and the result is needed several times; it takes a quarter of the weight's memory.
  let cached = given;
  const balances = layer.groups === 1 && layer.matrix.data.length >= BALANCED_FROM;
  const rounded = (rows: Layer) => (balances ? balancedLayer(rows, format) : quantizeLayer(rows, format));
  const quantized = () => (cached ??= rounded(layer));
  // Of a large layer some rows tell bytes and error, so that a format that is not chosen is never made.
  const sampled = once(() => layer.sample && { layer: layer.sample, quantized: rounded(layer.sample) });
  const write = ({ graph, value, opset }: RewriteTarget, integers: QuantizedMatrix) => {
    const target = { dims: tensor.dims, dtype: tensor.dtype, layout, opset };
    graph.replaceUses(value, foldIntegers(graph, integers, target));
  };
  return {
    method: 'quantize',
    label: formatLabel(format),
    bits: format.bits,
    weight: () => dequantizeRows(quantized()),
    error() {
      const some = cached ? undefined : sampled();
      return some ? errorOf(some.layer, some.quantized) : errorOf(layer, quantized());
    },
    refit: observed => quantizeCandidate(observed, format, refitScales(observed, quantized())),
    outline(target) {
      const some = cached ? undefined : sampled();
      write(target, some ? repeatRows(some.quantized, layer.matrix.rows) : quantized());
    },
    apply: target => write(target, quantized()),
  };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/**
 * The same with factors for the columns and scales in a byte, as only the fold form can store it. A grid for a whole row
 * is fixed before errors are handed on and can be too narrow for them, more so in balanced columns: there the better of
 * both is taken.
 */
function balancedLayer(layer: Layer, format: IntegerFormat): QuantizedMatrix {
  const balanced = quantizeBalanced(layer.matrix, format, layer.feedback()?.[0]);
  if (format.block > 0 && format.block < layer.matrix.cols) return balanced;
  const plain = quantizeLayer(layer, format);
  return errorOf(layer, balanced) < errorOf(layer, plain) ? balanced : plain;
}

/** The error of a layer's rounding; without another product with S where the rounding has kept its losses. */
function errorOf(layer: Layer, quantized: QuantizedMatrix): number {
  const weight = dequantizeRows(quantized);
  return quantized.losses ? layer.errorOfLosses(quantized.losses, weight) : layer.error(weight);
}

/** Rounds a layer's weight, with error feedback where calibration allows, group by group. */
export function quantizeLayer(layer: Layer, format: IntegerFormat): QuantizedMatrix {
  const factors = layer.feedback();
  return factors
    ? quantizeWithFeedback(layer.matrix, format, factors)
    : quantizeForStorage(layer.matrix, format);
}
