import type { Attribute } from '../graph/attribute.js';
import { type FunctionDefinition, Model } from '../graph/model.js';
import {
  DEFAULT_LIMITS,
  type DecodeContext,
  type DecodeLimits,
  type ExternalDataResolver,
  failDecode,
} from './context.js';
import { decodeAttribute } from './decode-attribute.js';
import { decodeFunctionBody, decodeGraph } from './decode-graph.js';
import { keep, sourcesOf } from './leftovers.js';
import { readMessage } from './read-message.js';
import type { Message } from './schema.js';
import { refuseOtherFormats } from './sniff.js';
import { asSource, type ByteSource } from './source.js';

export interface DecodeOptions {
  /** Path or name of the file, for messages and for `Model.path`. */
  path?: string;
  /** Finds the files of external data; without it a model that has such is refused. */
  external?: ExternalDataResolver;
  /** Bounds on what the file may make us do. */
  limits?: Partial<DecodeLimits>;
}

/**
 * Decodes an ONNX model. Weights stay in `source` and are read when their tensor is asked for its bytes, so keep
 * the source readable as long as the model is in use.
 * @throws WhittleError where the bytes are not a valid ONNX model
 */
export function decodeModel(
  source: ByteSource | Uint8Array | ArrayBuffer,
  { path, external, limits }: DecodeOptions = {},
): Model {
  const bytes = asSource(source, path);
  const opened = new Map<string, ByteSource>();
  const context: DecodeContext = {
    file: path ?? bytes.name,
    limits: { ...DEFAULT_LIMITS, ...limits },
    external(location, value) {
      let found = opened.get(location);
      if (!found) {
        if (!external) {
          failDecode(context, `weights are in the external file "${location}"`, {
            value,
            hint: 'Pass the option `external`, a function from that name to its bytes',
          });
        }
        found = asSource(external(location, value), location);
        opened.set(location, found);
      }
      return found;
    },
  };
  refuseOtherFormats(bytes, context.file);
  const model = buildModel(context, readMessage('ModelProto', bytes, context.limits));
  model.path = path;
  sourcesOf.set(model, [bytes, ...opened.values()]);
  return model;
}

function buildModel(context: DecodeContext, message: Message<'ModelProto'>): Model {
  const {
    irVersion,
    opsetImport,
    producerName = '',
    producerVersion = '',
    domain = '',
    modelVersion = 0,
    docString = '',
    graph,
    metadataProps,
    functions = [],
    ...rest
  } = message;
  if (!graph)
    failDecode(context, 'the file is not an ONNX model: it has no graph', { hint: 'Name an .onnx file' });
  const version = Number(irVersion ?? 1);
  if (version >= 3 && !opsetImport) {
    failDecode(context, 'the model does not say its operator set; the file is truncated or damaged');
  }
  const model = new Model(decodeGraph(context, graph));
  model.irVersion = version;
  model.opsets = decodeOpsets(context, opsetImport);
  model.producerName = producerName;
  model.producerVersion = producerVersion;
  model.domain = domain;
  model.modelVersion = modelVersion;
  model.docString = docString;
  model.metadata = new Map((metadataProps ?? []).map(({ key = '', value = '' }) => [key, value]));
  model.functions = functions.map(f => decodeFunction(context, f));
  const entries: Message<'ModelProto'> = {};
  // The entries themselves only where a map cannot say all of it.
  if (opsetImport?.some(entry => entry.unknown)) entries.opsetImport = opsetImport;
  if (
    metadataProps &&
    (metadataProps.some(entry => entry.unknown) || model.metadata.size < metadataProps.length)
  ) {
    entries.metadataProps = metadataProps;
  }
  model.extra = keep('ModelProto', { ...rest, ...entries });
  return model;
}

function decodeFunction(context: DecodeContext, message: Message<'FunctionProto'>): FunctionDefinition {
  const {
    name = '',
    domain = '',
    overload = '',
    input: _input,
    output: _output,
    node: _node,
    valueInfo: _valueInfo,
    attribute = [],
    attributeProto = [],
    opsetImport,
    ...rest
  } = message;
  const defaults = attributeProto.map((item): [string, Attribute] => [
    item.name ?? '',
    decodeAttribute(context, item, name, body => decodeGraph(context, body)),
  ]);
  return {
    name,
    domain,
    overload,
    attributeNames: attribute,
    attributeDefaults: new Map(defaults),
    opsets: decodeOpsets(context, opsetImport),
    graph: decodeFunctionBody(context, message),
    extra: keep('FunctionProto', opsetImport?.some(e => e.unknown) ? { ...rest, opsetImport } : rest),
  };
}

function decodeOpsets(
  context: DecodeContext,
  entries: readonly Message<'OperatorSetIdProto'>[] = [],
): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain = '', version = 0 } of entries) {
    // ONNX spells its own domain in two ways.
    const key = domain === 'ai.onnx' ? '' : domain;
    if (!Number.isSafeInteger(Number(version))) {
      failDecode(context, `operator set "${domain}" has the version ${version}`);
    }
    opsets.set(key, Math.max(Number(version), opsets.get(key) ?? 0));
  }
  return opsets;
}
