import type { Site } from '../../calibrate/sites.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { fromMatrix } from '../matrix.js';
import type { RewriteTarget } from '../method.js';
import type { QuantizedMatrix } from '../rounding/quantizer.js';
import { foldScales } from './fold.js';
import { isPlainProduct, MICROSOFT, replaceNode, replaceProduct } from './linear.js';

/*
 * The form for little memory: the weight stays in integers while the model runs. MatMulNBits and GatherBlockQuantized
 * read blocks of 2, 4 or 8 bits; anything else takes int8 through DequantizeLinear, which ONNX Runtime runs at each call.
 */

/** Block lengths that ONNX Runtime's block operators take. */
const isBlock = (block: number): boolean => block >= 16 && Number.isInteger(Math.log2(block));

const isTable = ({ kind, mixed, nested, tensor, uses }: Site): boolean =>
  kind === 'embedding' &&
  !mixed &&
  !nested &&
  tensor.dtype === 'float32' &&
  uses.every(({ index }) => index === 0);

/** Whether a site can be kept in so many bits with one scale for each block; a block of 0 is a scale for each output. */
export function fitsIntegers(site: Site, bits: number, block: number): boolean {
  if (site.nested || site.tensor.dtype !== 'float32') return false;
  // In front of a MatMul, ONNX Runtime would turn a DequantizeLinear into a MatMulNBits of its own.
  if (block === 0) return bits === 8 && site.layout.split === 1 && !isPlainProduct(site);
  if (!isBlock(block)) return false;
  // A row shorter than a block would become a block of a length that the operators do not take.
  if (site.tensor.dims[site.layout.perm[1]!]! < block) return false;
  if (isPlainProduct(site)) return bits === 2 || bits === 4 || bits === 8;
  // Its rows are packed without padding.
  return isTable(site) && (bits === 4 || bits === 8) && site.tensor.dims[1]! % block === 0;
}

export function applyIntegers(target: RewriteTarget, site: Site, quantized: QuantizedMatrix): void {
  if (quantized.format.block === 0) {
    if (isTable(site)) gatherRows(target, quantized);
    else dequantizeAtRun(target, site, quantized);
  } else if (site.kind === 'embedding') gatherBlocks(target, quantized);
  else matMulNBits(target, quantized);
}

/** B is (N, blocks, block · bits / 8) in uint8, low bits first, the zero point 2^(bits − 1). */
function matMulNBits(target: RewriteTarget, quantized: QuantizedMatrix): void {
  const { graph, uses } = target;
  const { rows, cols, paddedCols, block, format } = quantized;
  const blocks = paddedCols / block;
  const packed = Tensor.from('uint8', [rows, blocks, (block * format.bits) / 8], pack(quantized));
  const weight = graph.constant(packed, 'q');
  const scales = foldScales(graph, quantized.scales, [rows * blocks]);
  // Level 4 multiplies integers; without it some processors take a slow path in float.
  const attributes = { K: cols, N: rows, bits: format.bits, block_size: block, accuracy_level: 4 };
  declare(target);
  for (const { node } of uses) {
    const inputs = [node.inputs[0]!, weight, scales];
    replaceProduct(graph, node, graph.op('MatMulNBits', inputs, attributes, { domain: MICROSOFT }));
  }
}

function gatherBlocks(target: RewriteTarget, quantized: QuantizedMatrix): void {
  const { graph, uses } = target;
  const { rows, paddedCols, block, format } = quantized;
  const packed = Tensor.from('uint8', [rows, (paddedCols * format.bits) / 8], pack(quantized));
  const table = graph.constant(packed, 'q');
  const scales = foldScales(graph, quantized.scales, [rows, paddedCols / block]);
  const attributes = { bits: format.bits, block_size: block, gather_axis: 0, quantize_axis: 1 };
  declare(target);
  for (const { node } of uses) {
    const inputs = [table, node.inputs[1]!, scales];
    replaceNode(graph, node, graph.op('GatherBlockQuantized', inputs, attributes, { domain: MICROSOFT }));
  }
}

/** A table with a scale for each row: the rows are fetched as integers and scaled after that, with ordinary operators. */
function gatherRows({ graph, uses }: RewriteTarget, { q, scales, rows, cols }: QuantizedMatrix): void {
  const table = graph.constant(Tensor.from('int8', [rows, cols], q), 'q');
  const factors = graph.constant(Tensor.float32([rows, 1], scales), 's');
  for (const { node } of uses) {
    const ids = node.inputs[1]!;
    const fetched = graph.op('Cast', [graph.op('Gather', [table, ids], { axis: 0 })], { to: 1 });
    replaceNode(graph, node, graph.op('Mul', [fetched, graph.op('Gather', [factors, ids], { axis: 0 })]));
  }
}

/** int8 with a scale for each output, and a DequantizeLinear in front of what used the weight. */
function dequantizeAtRun(target: RewriteTarget, site: Site, quantized: QuantizedMatrix): void {
  target.graph.replaceUses(target.value, dequantized(target, site, quantized));
}

/** A DequantizeLinear of the weight in its own shape. */
export function dequantized(target: RewriteTarget, site: Site, { q, scales }: QuantizedMatrix): Value {
  const { graph } = target;
  const { tensor, layout } = site;
  const ints = Int8Array.from(fromMatrix(Float32Array.from(q), tensor.dims, layout));
  return dequantizeLinear(
    target,
    graph.constant(Tensor.from('int8', tensor.dims, ints), 'q'),
    graph.constant(Tensor.float32([scales.length], scales), 's'),
    null,
    layout.perm[0],
  );
}

/** The version of ONNX's operators from which scales may lie along an axis. */
const PER_AXIS = 13;

/** DequantizeLinear along an axis, of ONNX where it can, of ONNX Runtime in older models. */
export function dequantizeLinear(
  target: RewriteTarget,
  x: Value,
  scale: Value,
  zeroPoint: Value | null,
  axis?: number,
): Value {
  const inputs = zeroPoint ? [x, scale, zeroPoint] : [x, scale];
  return quantizationOp(target, 'DequantizeLinear', inputs, axis);
}

/** QuantizeLinear or DequantizeLinear; both of a pair must be of the same domain for ONNX Runtime to fuse them. */
export function quantizationOp(
  target: RewriteTarget,
  opType: 'QuantizeLinear' | 'DequantizeLinear',
  inputs: readonly Value[],
  axis?: number,
): Value {
  const attributes = axis === undefined ? {} : { axis };
  if (target.opset >= PER_AXIS) return target.graph.op(opType, inputs, attributes);
  declare(target);
  return target.graph.op(opType, inputs, attributes, { domain: MICROSOFT });
}

function declare({ opsets }: RewriteTarget): void {
  opsets.set(MICROSOFT, opsets.get(MICROSOFT) ?? 1);
}

/** Row after row, each byte filled from its lowest bits. */
function pack({ q, rows, paddedCols, format: { bits } }: QuantizedMatrix): Uint8Array {
  const perByte = 8 / bits;
  const offset = 2 ** (bits - 1);
  const bytes = new Uint8Array((rows * paddedCols) / perByte);
  for (let i = 0; i < q.length; i++) {
    bytes[Math.floor(i / perByte)]! |= (q[i]! + offset) << (bits * (i % perByte));
  }
  return bytes;
}
