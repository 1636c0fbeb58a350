import type { Attribute } from '../graph/attribute.js';
import type { Graph } from '../graph/graph.js';
import { type DecodeContext, failDecode } from './context.js';
import { decodeSparse, decodeTensor } from './decode-tensor.js';
import { keep } from './leftovers.js';
import { ATTRIBUTE_TYPES, type Message } from './schema.js';
import { decodeType } from './types.js';

type AttributeMessage = Message<'AttributeProto'>;

/** Decodes the subgraphs that attributes hold; they see the values of the graph around them. */
export type GraphDecoder = (message: Message<'GraphProto'>) => Graph;

/**
 * An attribute of a file.
 * @param node what to call its node in errors
 * @throws WhittleError where its type is unknown or its value missing
 */
export function decodeAttribute(
  context: DecodeContext,
  message: AttributeMessage,
  node: string,
  decodeGraph: GraphDecoder,
): Attribute {
  const { name = '' } = message;
  const fail = (problem: string): never => failDecode(context, `attribute "${name}" ${problem}`, { node });
  const type = message.type || guessType(message);
  if (message.refAttrName) {
    const { name: _name, type: _type, refAttrName, ...rest } = message;
    return { type: 'reference', value: refAttrName, of: type, extra: keep('AttributeProto', rest) };
  }
  const { name: _, type: __, ...content } = message;
  const present = <T>(value: T | undefined): T => value ?? fail('has no value');
  const extra = (rest: AttributeMessage) => keep('AttributeProto', rest);
  const label = `${node}.${name}`;
  switch (type) {
    // Proto3-minded writers leave zeros and empty texts out.
    case ATTRIBUTE_TYPES.float: {
      const { f = 0, ...rest } = content;
      return { type: 'float', value: f, extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.int: {
      const { i = 0, ...rest } = content;
      return { type: 'int', value: i, extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.string: {
      const { s = new Uint8Array(0), ...rest } = content;
      return { type: 'string', value: s, extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.tensor: {
      const { t, ...rest } = content;
      return { type: 'tensor', value: decodeTensor(context, present(t), label), extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.graph: {
      const { g, ...rest } = content;
      return { type: 'graph', value: decodeGraph(present(g)), extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.sparse: {
      const { sparseTensor, ...rest } = content;
      const value = decodeSparse(context, present(sparseTensor), label);
      return { type: 'sparse', value, extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.type: {
      const { tp, ...rest } = content;
      return { type: 'type', value: decodeType(present(tp)), extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.floats: {
      const { floats = [], ...rest } = content;
      return { type: 'floats', value: floats, extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.ints: {
      const { ints = [], ...rest } = content;
      return { type: 'ints', value: ints, extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.strings: {
      const { strings = [], ...rest } = content;
      return { type: 'strings', value: strings, extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.tensors: {
      const { tensors = [], ...rest } = content;
      const value = tensors.map((t, i) => decodeTensor(context, t, `${label}[${i}]`));
      return { type: 'tensors', value, extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.graphs: {
      const { graphs = [], ...rest } = content;
      return { type: 'graphs', value: graphs.map(decodeGraph), extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.sparses: {
      const { sparseTensors = [], ...rest } = content;
      const value = sparseTensors.map((t, i) => decodeSparse(context, t, `${label}[${i}]`));
      return { type: 'sparses', value, extra: extra(rest) };
    }
    case ATTRIBUTE_TYPES.types: {
      const { typeProtos = [], ...rest } = content;
      return { type: 'types', value: typeProtos.map(decodeType), extra: extra(rest) };
    }
    default:
      return fail(`has the unknown type ${type}`);
  }
}

/** The type of an attribute that does not say it, as in files before IR version 2: by the field that is set. */
function guessType(message: AttributeMessage): number {
  const fields: [keyof AttributeMessage, number][] = [
    ['f', ATTRIBUTE_TYPES.float],
    ['i', ATTRIBUTE_TYPES.int],
    ['s', ATTRIBUTE_TYPES.string],
    ['t', ATTRIBUTE_TYPES.tensor],
    ['g', ATTRIBUTE_TYPES.graph],
    ['floats', ATTRIBUTE_TYPES.floats],
    ['ints', ATTRIBUTE_TYPES.ints],
    ['strings', ATTRIBUTE_TYPES.strings],
    ['tensors', ATTRIBUTE_TYPES.tensors],
    ['graphs', ATTRIBUTE_TYPES.graphs],
    ['sparseTensor', ATTRIBUTE_TYPES.sparse],
    ['sparseTensors', ATTRIBUTE_TYPES.sparses],
    ['tp', ATTRIBUTE_TYPES.type],
    ['typeProtos', ATTRIBUTE_TYPES.types],
  ];
  return fields.find(([key]) => message[key] !== undefined)?.[1] ?? 0;
}
