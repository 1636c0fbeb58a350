import type { Attribute } from '../graph/attribute.js';
import type { Graph } from '../graph/graph.js';
import { type ExternalPlaces, encodeSparse, encodeTensor } from './encode-tensor.js';
import { kept } from './leftovers.js';
import { ATTRIBUTE_TYPES, type Message } from './schema.js';
import { encodeType } from './types.js';

/** The message of an attribute; `encodeGraph` writes the subgraphs. */
export function encodeAttribute(
  name: string,
  attribute: Attribute,
  places: ExternalPlaces,
  encodeGraph: (graph: Graph) => Message<'GraphProto'>,
): Message<'AttributeProto'> {
  const head: Message<'AttributeProto'> = { ...kept('AttributeProto', attribute), name };
  if (attribute.type === 'reference') {
    return { ...head, refAttrName: attribute.value, type: attribute.of };
  }
  head.type = ATTRIBUTE_TYPES[attribute.type];
  switch (attribute.type) {
    case 'float':
      return { ...head, f: attribute.value };
    case 'int':
      return { ...head, i: attribute.value };
    case 'string':
      return { ...head, s: attribute.value };
    case 'tensor':
      return { ...head, t: encodeTensor(attribute.value, places) };
    case 'graph':
      return { ...head, g: encodeGraph(attribute.value) };
    case 'sparse':
      return { ...head, sparseTensor: encodeSparse(attribute.value, places) };
    case 'type':
      return { ...head, tp: encodeType(attribute.value) };
    case 'floats':
      return { ...head, floats: [...attribute.value] };
    case 'ints':
      return { ...head, ints: [...attribute.value] };
    case 'strings':
      return { ...head, strings: [...attribute.value] };
    case 'tensors':
      return { ...head, tensors: attribute.value.map(tensor => encodeTensor(tensor, places)) };
    case 'graphs':
      return { ...head, graphs: attribute.value.map(encodeGraph) };
    case 'sparses':
      return { ...head, sparseTensors: attribute.value.map(sparse => encodeSparse(sparse, places)) };
    case 'types':
      return { ...head, typeProtos: attribute.value.map(encodeType) };
  }
}
