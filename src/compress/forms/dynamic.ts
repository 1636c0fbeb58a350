import { dtypeCode } from '../../graph/dtype.js';
import type { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import type { RewriteTarget } from '../method.js';
import type { QuantizedMatrix } from '../rounding/quantizer.js';
import { isPlainProduct, MICROSOFT, replaceProduct } from './linear.js';

/*
 * The dynamic form: activations are rounded to uint8 at each run, with the range of that run, and multiplied with int8
 * weights as integers: DynamicQuantizeLinear, MatMulInteger, and the product of both scales. ONNX Runtime fuses it to
 * one operator. Only for matrices: ConvInteger takes several times as long as a float convolution.
 */

export const fitsDynamic = isPlainProduct;

/** The version of ONNX's operators that brought DynamicQuantizeLinear. */
const DYNAMIC_QUANTIZE = 11;

/** @param quantized 8 bits, a scale for each output */
export function applyDynamic(target: RewriteTarget, quantized: QuantizedMatrix): void {
  const { graph, opset, uses } = target;
  const { rows, cols } = quantized;
  const weight = graph.constant(Tensor.from('int8', [cols, rows], transposed(quantized)), 'q');
  const scales = graph.constant(Tensor.float32([rows], quantized.scales), 's');
  for (const { node } of uses) {
    const x = node.inputs[0]!;
    const product = opset < DYNAMIC_QUANTIZE ? fused : spelledOut;
    replaceProduct(graph, node, product(target, x, weight, scales));
  }
}

function spelledOut({ graph }: RewriteTarget, x: Value, weight: Value, scales: Value): Value {
  const [rounded, scale, zero] = quantizedInput(graph, x).outputs as [Value, Value, Value];
  const sums = graph.op('MatMulInteger', [rounded, weight, zero]);
  const factors = graph.op('Mul', [scale, scales]);
  return graph.op('Mul', [graph.op('Cast', [sums], { to: dtypeCode('float32') }), factors]);
}

/** The one operator that ONNX Runtime fuses the others to; it is not tied to a version of ONNX. */
function fused({ graph, opsets }: RewriteTarget, x: Value, weight: Value, scales: Value): Value {
  opsets.set(MICROSOFT, opsets.get(MICROSOFT) ?? 1);
  return graph.op('DynamicQuantizeMatMul', [x, weight, scales], {}, { domain: MICROSOFT });
}

/** Layers that read the same activation round it once. */
function quantizedInput(graph: Graph, x: Value): Node {
  const known = x.consumers.find(node => node.opType === 'DynamicQuantizeLinear' && node.graph === graph);
  return known ?? graph.node('DynamicQuantizeLinear', [x], {}, { outputs: 3 });
}

/** The integers as (cols, rows). */
function transposed({ q, rows, cols, paddedCols }: QuantizedMatrix): Int8Array {
  const result = new Int8Array(rows * cols);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) result[c * rows + r] = q[r * paddedCols + c]!;
  return result;
}
