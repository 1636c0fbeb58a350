import type { Model } from '../graph/model.js';
import { decodeModel } from './decode.js';
import { loadModel } from './load.node.js';
import { type SavedModel, type SaveOptions, saveModel } from './save.node.js';

/**
 * Loads a model.
 * @param source a path in Node, a URL in the browser, or the bytes of a file
 * @throws WhittleError where it cannot be read or is no valid ONNX model
 */
export async function load(source: string | Uint8Array | ArrayBuffer): Promise<Model> {
  return typeof source === 'string' ? loadModel(source) : decodeModel(source);
}

/** Saves a model to a path (Node only). See `saveModel`. */
export const save = (model: Model, path: string, options?: SaveOptions): Promise<SavedModel> =>
  saveModel(model, path, options);

export type { SavedModel, SaveOptions };
