import type { Tensor } from '../graph/tensor.js';
import { writeAtomically } from '../onnx/atomic-write.node.js';
import { FileSource } from '../onnx/file-source.node.js';
import { encodeSafetensors, readSafetensors, type Safetensors } from './safetensors.js';

/**
 * Opens a safetensors file; tensors are read from it when they are used.
 * @throws WhittleError where there is no such file, or it is broken
 */
export const openSafetensors = (path: string): Safetensors => readSafetensors(new FileSource(path));

/**
 * Writes a safetensors file: under a temporary name first, so that it appears whole or not at all.
 * @throws WhittleError where the system refuses
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeAtomically([{ path, chunks: () => encodeSafetensors(tensors, metadata) }]);
}
