import { WhittleError } from '../graph/errors.js';
import type { FunctionDefinition, Model } from '../graph/model.js';
import { encodeAttribute } from './encode-attribute.js';
import { encodeGraph } from './encode-graph.js';
import type { ExternalPlaces } from './encode-tensor.js';
import { kept } from './leftovers.js';
import { readPayload } from './payload.js';
import type { Message } from './schema.js';
import { type Encoded, writeMessage } from './write-message.js';

/** Protobuf's own limit on a message, which ONNX Runtime keeps. */
export const MAX_MODEL_BYTES = 2 ** 31 - 1;

export interface EncodeOptions {
  /** Tensors whose bytes the caller writes into other files, and where. */
  external?: ExternalPlaces;
}

/**
 * Encodes a model piece by piece, reading each weight when its turn comes; nothing larger than the largest weight
 * is in memory. Sorts the nodes of its graphs.
 * @throws WhittleError where the graph cannot be written, or a weight not be read
 */
export function* encodeModel(model: Model, options: EncodeOptions = {}): Generator<Uint8Array> {
  for (const part of encodePieces(model, options).parts) yield readPayload(part);
}

/** Bytes that `encodeModel` will give; reads no weights. */
export function modelByteLength(model: Model, options: EncodeOptions = {}): number {
  return encodePieces(model, options).byteLength;
}

/**
 * Encodes a model into one array.
 * @throws WhittleError where it has 2 GB or more
 */
export function encodeToBytes(model: Model, options: EncodeOptions = {}): Uint8Array<ArrayBuffer> {
  const pieces = encodePieces(model, options);
  const { byteLength } = pieces;
  if (byteLength > MAX_MODEL_BYTES) {
    throw new WhittleError(`the model has ${byteLength} bytes; protobuf ends at 2 GB`, {
      file: model.path,
      hint: 'Save it with external data',
    });
  }
  const bytes = new Uint8Array(byteLength);
  let at = 0;
  for (const part of pieces.parts) {
    bytes.set(readPayload(part), at);
    at += part.byteLength;
  }
  return bytes;
}

const encodePieces = (model: Model, { external = new Map() }: EncodeOptions): Encoded =>
  writeMessage('ModelProto', buildMessage(model, external));

function buildMessage(model: Model, places: ExternalPlaces): Message<'ModelProto'> {
  const { opsetImport, metadataProps, ...rest } = kept('ModelProto', model);
  const message: Message<'ModelProto'> = {
    ...rest,
    irVersion: model.irVersion,
    opsetImport: encodeOpsets(model.opsets, opsetImport),
    graph: encodeGraph(model.graph, places),
    metadataProps: mergeEntries(model.metadata, metadataProps),
    functions: model.functions.map(f => encodeFunction(f, places)),
  };
  if (model.producerName) message.producerName = model.producerName;
  if (model.producerVersion) message.producerVersion = model.producerVersion;
  if (model.domain) message.domain = model.domain;
  if (model.modelVersion) message.modelVersion = model.modelVersion;
  if (model.docString) message.docString = model.docString;
  return message;
}

function encodeFunction(definition: FunctionDefinition, places: ExternalPlaces): Message<'FunctionProto'> {
  const { graph, name, domain, overload } = definition;
  const body = encodeGraph(graph, places);
  const before = kept('FunctionProto', definition);
  const message: Message<'FunctionProto'> = {
    ...before,
    name,
    domain,
    input: graph.inputs.map(input => input.name),
    output: graph.outputs.map(output => output.name),
    attribute: [...definition.attributeNames],
    attributeProto: Array.from(definition.attributeDefaults, ([key, attribute]) =>
      encodeAttribute(key, attribute, places, g => encodeGraph(g, places)),
    ),
    node: body.node ?? [],
    opsetImport: encodeOpsets(definition.opsets, before.opsetImport),
    valueInfo: body.valueInfo ?? [],
  };
  if (overload) message.overload = overload;
  if (body.initializer?.length || body.sparseInitializer?.length) {
    throw new WhittleError(`function "${name}" has initializers, which a function cannot have`, {
      hint: 'Make them Constant nodes',
    });
  }
  return message;
}

function encodeOpsets(
  opsets: ReadonlyMap<string, number>,
  before: readonly Message<'OperatorSetIdProto'>[] = [],
): Message<'OperatorSetIdProto'>[] {
  return Array.from(opsets, ([domain, version]) => {
    const unknown = before.find(entry => (entry.domain ?? '') === domain)?.unknown;
    return unknown ? { domain, version, unknown } : { domain, version };
  });
}

/** Metadata as entries; those of the file that still say the same keep what else they had. */
function mergeEntries(
  metadata: ReadonlyMap<string, string>,
  before: readonly Message<'StringStringEntryProto'>[] = [],
): Message<'StringStringEntryProto'>[] {
  return Array.from(metadata, ([key, value]) => {
    const same = before.find(entry => entry.key === key && entry.value === value);
    return same ?? { key, value };
  });
}
