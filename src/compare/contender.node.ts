import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { FileSource } from '../onnx/file-source.node.js';
import { sourcesOf } from '../onnx/leftovers.js';
import { loadModel } from '../onnx/load.node.js';
import type { Contender } from './compare.js';

/** Larger files are not packed to see how small they get: it takes minutes. */
const MAX_GZIP_BYTES = 300e6;

/**
 * Opens a file to compare it.
 * @throws WhittleError where it is no ONNX model
 */
export async function openContender(path: string, name: string): Promise<Contender> {
  const model = await loadModel(path);
  const files = (sourcesOf.get(model) ?? []).filter(source => source instanceof FileSource);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  // ONNX Runtime looks for external data beside what a link leads to, where a download cache has none.
  const linked = files.length > 1 && (await lstat(path)).isSymbolicLink();
  return {
    name,
    model,
    source: linked ? model : path,
    bytes,
    ...(bytes <= MAX_GZIP_BYTES && { gzipBytes: await gzipSize(files.map(file => file.name)) }),
  };
}

async function gzipSize(paths: readonly string[]): Promise<number> {
  let size = 0;
  for (const path of paths) {
    await pipeline(createReadStream(path), createGzip(), async chunks => {
      for await (const chunk of chunks) size += (chunk as Uint8Array).byteLength;
    });
  }
  return size;
}
