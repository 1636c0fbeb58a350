import type { Model } from '../graph/model.js';
import type { DecodeLimits } from './context.js';
import { decodeModel } from './decode.js';
import { folderResolver } from './external.node.js';
import { FileSource } from './file-source.node.js';

/**
 * Reads a model from a file. Its weights stay on disk until they are asked for; external data is found in the
 * model's folder. The file must not change while the model is in use: that is noticed, and an error.
 * @throws WhittleError where it cannot be read or is not a valid ONNX model
 */
export async function loadModel(
  path: string,
  options: { limits?: Partial<DecodeLimits> } = {},
): Promise<Model> {
  const source = new FileSource(path);
  return source.whileOpen(() => decodeModel(source, { ...options, path, external: folderResolver(path) }));
}
