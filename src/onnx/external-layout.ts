import type { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import { type ExternalPlace, readTensor } from './encode-tensor.js';

/** Large weights start at a page, so that readers can map the file; small ones where any dtype is aligned. */
const PAGE = 4096;
const LARGE = 64 * 1024;
const SMALL_ALIGNMENT = 64;

export interface ExternalLayout {
  readonly places: ReadonlyMap<Tensor, ExternalPlace>;
  /** Length of the data file. */
  readonly byteLength: number;
}

/** Gives each tensor of at least `threshold` bytes its place in one external data file. */
export function layOutExternal(model: Model, location: string, threshold: number): ExternalLayout {
  const places = new Map<Tensor, ExternalPlace>();
  let end = 0;
  for (const tensor of movableTensors(model.graph)) {
    if (tensor.dtype === 'string' || tensor.byteLength < threshold || places.has(tensor)) continue;
    const alignment = tensor.byteLength >= LARGE ? PAGE : SMALL_ALIGNMENT;
    const offset = Math.ceil(end / alignment) * alignment;
    places.set(tensor, { location, offset });
    end = offset + tensor.byteLength;
  }
  return { places, byteLength: end };
}

/** The content of the data file, one weight in memory at a time. */
export function* externalChunks({ places }: ExternalLayout): Generator<Uint8Array> {
  let end = 0;
  for (const [tensor, { offset }] of places) {
    if (offset > end) yield new Uint8Array(offset - end);
    const bytes = readTensor(tensor);
    yield bytes;
    end = offset + bytes.byteLength;
  }
}

/** Tensors that ONNX Runtime also reads from external data: dense initializers and what Constant nodes hold. */
function* movableTensors(graph: Graph): Generator<Tensor> {
  for (const { initializer } of graph.initializers) if (initializer instanceof Tensor) yield initializer;
  for (const node of graph.nodes) {
    for (const subgraph of node.subgraphs) yield* movableTensors(subgraph);
    const value = node.opType === 'Constant' && node.domain === '' ? node.attributes.get('value') : undefined;
    if (value?.type === 'tensor') yield value.value;
  }
}
