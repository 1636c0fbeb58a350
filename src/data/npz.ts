import { unzipSync, zipSync } from 'fflate';
import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import { readNpy, writeNpy } from './npy.js';

/** Limits on what an archive may unpack to, since a small one can claim to be huge. */
const MAX_ENTRIES = 10_000;
const MAX_BYTES = 2 ** 31;
/** No deflate stream unpacks to more than 1032 times its size. */
const MAX_RATIO = 1032;

/**
 * Reads a `.npz` archive: a zip of `.npy` files, whose names without the ending are the keys.
 * @throws WhittleError naming the file and the entry where it is damaged, too large, or holds something else
 */
export function readNpz(bytes: Uint8Array, file = 'arrays.npz'): Map<string, Tensor> {
  let entries = 0;
  let total = 0;
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, {
      filter: ({ name, size, originalSize }) => {
        total += originalSize;
        if (originalSize > MAX_RATIO * Math.min(size, bytes.length)) {
          throw new WhittleError(`its entry "${name}" claims ${originalSize} bytes`, { file });
        }
        if (++entries > MAX_ENTRIES || total > MAX_BYTES) {
          throw new WhittleError(`the archive unpacks to over ${MAX_BYTES} bytes or ${MAX_ENTRIES} entries`, {
            file,
            hint: 'Split it into one file for each sample',
          });
        }
        return name.endsWith('.npy');
      },
    });
  } catch (cause) {
    if (cause instanceof WhittleError) throw cause;
    throw new WhittleError(`not a readable .npz archive: ${(cause as Error).message}`, { file, cause });
  }
  const arrays = Object.entries(files).map(
    ([name, content]) => [name.slice(0, -'.npy'.length), readNpy(content, `${file}/${name}`)] as const,
  );
  if (arrays.length === 0) throw new WhittleError('the archive holds no .npy arrays', { file });
  return new Map(arrays);
}

/** Writes tensors as a `.npz` archive, compressed, with the given keys; the same tensors give the same bytes. */
export function writeNpz(arrays: Readonly<Record<string, Tensor>>): Uint8Array {
  const files = Object.entries(arrays).map(([key, tensor]) => [`${key}.npy`, writeNpy(tensor)] as const);
  return zipSync(Object.fromEntries(files), { mtime: '1980-01-01T00:00:00' });
}
