import { bitsOf } from '../graph/dtype.js';
import { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { tensorType, Value } from '../graph/value.js';

/**
 * Folds each BatchNormalization (inference form, constant parameters) into the Conv or Gemm before it, where nothing
 * else uses that one's result: W′ = W γ/√(σ² + ε), b′ = (b − μ) γ/√(σ² + ε) + β, per output channel, in float64.
 * @returns how many were folded
 */
export function foldBatchNorm(graph: Graph): number {
  let folded = 0;
  for (const norm of [...graph.nodes]) {
    if (norm.opType === 'BatchNormalization' && norm.domain === '' && fold(graph, norm)) folded++;
  }
  return folded;
}

function fold(graph: Graph, norm: Node): boolean {
  const layer = norm.inputs[0]?.producer;
  if (!layer || layer.graph !== graph || norm.int('training_mode', 0) === 1) return false;
  const channelAxis = outputAxis(layer);
  if (channelAxis === undefined || layer.output.uses.size > 1 || graph.isOutput(layer.output)) return false;
  const [gamma, beta, mean, variance] = norm.inputs.slice(1).map(Graph.constantOf);
  const weight = Graph.constantOf(layer.inputs[1]);
  const bias = Graph.constantOf(layer.inputs[2]);
  if (!gamma || !beta || !mean || !variance || weight?.dtype !== 'float32') return false;
  if (layer.inputs[2] && bias?.size !== gamma.size) return false;

  const epsilon = norm.float('epsilon', 1e-5);
  const sigma = variance.toFloat64().map(v => Math.sqrt(v + epsilon));
  const scale = gamma.toFloat64().map((g, c) => g / sigma[c]!);
  const [b, m, shift] = [bias?.toFloat64(), mean.toFloat64(), beta.toFloat64()];
  const newBias = scale.map((s, c) => ((b?.[c] ?? 0) - m[c]!) * s + shift[c]!);
  replaceConstant(graph, layer, 1, scaleAxis(weight, channelAxis, scale));
  const biasTensor = Tensor.fromNumbers('float32', [scale.length], newBias);
  if (layer.inputs[2]) replaceConstant(graph, layer, 2, biasTensor);
  else {
    const weightName = layer.inputs[1]!.name;
    const name = weightName.endsWith('.weight')
      ? `${weightName.slice(0, -'weight'.length)}bias`
      : `${weightName}.bias`;
    layer.setInput(2, graph.constant(biasTensor, name));
  }
  graph.replaceUses(norm.output, layer.output);
  graph.remove(norm);
  return true;
}

/** The axis of the weight that counts output channels. */
function outputAxis(layer: Node): number | undefined {
  if (layer.domain !== '') return undefined;
  if (layer.opType === 'Conv') return 0;
  if (layer.opType !== 'Gemm' || layer.float('alpha', 1) !== 1 || layer.float('beta', 1) !== 1)
    return undefined;
  return layer.int('transB', 0) === 1 ? 0 : 1;
}

function scaleAxis(tensor: Tensor, axis: number, scale: Float64Array): Tensor {
  const inner = sizeOf(tensor.dims.slice(axis + 1));
  const count = tensor.dims[axis]!;
  const data = tensor.toFloat32();
  const scaled = new Float32Array(data.length);
  for (let start = 0, c = 0; start < data.length; start += inner, c = (c + 1) % count) {
    for (let i = start; i < start + inner; i++) scaled[i] = data[i]! * scale[c]!;
  }
  return Tensor.float32(tensor.dims, scaled);
}

/** Gives a node another constant, under the same name where no other node uses the old one. */
function replaceConstant(graph: Graph, node: Node, index: number, tensor: Tensor): void {
  const old = node.inputs[index]!;
  const alone = old.uses.size === 1 && graph.initializers.has(old);
  if (!alone) {
    node.setInput(index, graph.constant(tensor, old.name));
    return;
  }
  const value = new Value(old.name, tensorType(tensor.dtype, tensor.dims));
  value.initializer = tensor;
  node.setInput(index, value);
  graph.initializers.delete(old);
  graph.adopt(value);
}

/**
 * Replaces each transposed constant matrix by a constant, where the constant has no other use. Linear layers store
 * (out, in) as PyTorch does and transpose; a runtime would otherwise do this at each start.
 * @returns how many were folded
 */
export function foldTransposes(graph: Graph): number {
  let folded = 0;
  for (const node of [...graph.nodes]) {
    const source = node.inputs[0];
    const tensor = Graph.constantOf(source);
    if (node.opType !== 'Transpose' || !source || !tensor || tensor.dims.length !== 2) continue;
    if (node.ints('perm', [1, 0]).join() !== '1,0' || source.uses.size > 1 || graph.isOutput(node.output))
      continue;
    if (bitsOf(tensor.dtype) % 8 !== 0 || tensor.dtype === 'string') continue;
    const transposed = transposeMatrix(tensor);
    const value = new Value(source.name, tensorType(transposed.dtype, transposed.dims));
    value.initializer = transposed;
    graph.replaceUses(node.output, value);
    graph.remove(node);
    graph.initializers.delete(source);
    graph.adopt(value);
    folded++;
  }
  return folded;
}

/** The transpose, computed when its bytes are asked for. */
function transposeMatrix(tensor: Tensor): Tensor {
  const [rows, columns] = tensor.dims as [number, number];
  const width = bitsOf(tensor.dtype) / 8;
  return new Tensor(tensor.dtype, [columns, rows], {
    byteLength: tensor.byteLength,
    read() {
      const from = tensor.bytes();
      const to = new Uint8Array(from.length);
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) {
          for (let k = 0; k < width; k++)
            to[(c * rows + r) * width + k] = from[(r * columns + c) * width + k]!;
        }
      }
      return to;
    },
  });
}
