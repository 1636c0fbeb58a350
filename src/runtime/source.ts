import { WhittleError } from '../graph/errors.js';
import { Model } from '../graph/model.js';
import type { Value } from '../graph/value.js';
import { layOutExternal } from '../onnx/external-layout.js';
import { encodeToBytes, MAX_MODEL_BYTES, modelByteLength } from '../onnx/index.js';
import { unshared } from './convert.js';
import { exposedValues, withOutputs } from './expose.js';

/** A model in a form that ONNX Runtime loads. */
export interface Source {
  /** A path or URL, or the bytes of an ONNX file. */
  readonly data: string | Uint8Array;
  /** Weights outside of the bytes, by the file name under which these refer to them. */
  readonly external: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** For messages. */
  readonly file: string | undefined;
  /** Names of the outputs that the model does not have itself. */
  readonly exposed: readonly string[];
}

/** Prepares what the caller of `createSession` gives. Reads all weights of a model. */
export function sourceOf(input: Model | Uint8Array | string, expose: readonly string[] | 'all' = []): Source {
  if (input instanceof Model) return encodeSource(input, exposedValues(input, expose));
  if (expose.length > 0) {
    throw new WhittleError('only a Model can expose intermediate values, not a path or bytes', {
      hint: 'Read the file into a Model first',
    });
  }
  const isPath = typeof input === 'string';
  return {
    data: isPath ? input : unshared(input),
    external: [],
    file: isPath ? input : undefined,
    exposed: [],
  };
}

/**
 * Encodes a model with further outputs. Where its file would pass protobuf's limit (or `maxBytes`), the weights stay
 * beside it.
 */
export function encodeSource(
  model: Model,
  outputs: readonly Value[],
  maxBytes: number = MAX_MODEL_BYTES,
): Source {
  return withOutputs(model.graph, outputs, () => {
    const exposed = outputs.map(output => output.name);
    const file = model.path;
    if (modelByteLength(model) <= maxBytes)
      return { data: encodeToBytes(model), external: [], file, exposed };
    // Each weight is a file of its own, so that none of them is copied.
    const tensors = [...layOutExternal(model, '', MIN_EXTERNAL_BYTES).places.keys()];
    const places = new Map(tensors.map((tensor, i) => [tensor, { location: `weight${i}`, offset: 0 }]));
    const data = encodeToBytes(model, { external: places });
    const external = tensors.map((tensor, i) => ({ path: `weight${i}`, data: unshared(tensor.bytes()) }));
    return { data, external, file, exposed };
  });
}

/** Shapes and other small constants must be in the model, where ONNX Runtime's shape inference reads them. */
const MIN_EXTERNAL_BYTES = 1024;
