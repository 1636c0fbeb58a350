import { open, readFile } from 'node:fs/promises';
import { basename, dirname, extname } from 'node:path';
import { WhittleError } from '../graph/errors.js';
import type { Tensor } from '../graph/tensor.js';
import { checkSample, convertTo, type Fit, fitArray } from './fit.js';
import { checkNpyLength, NPY_HEADER_BYTES, readNpy, readNpyHeader } from './npy.js';
import { readNpz } from './npz.js';
import {
  formatShape,
  type InputSource,
  indexedSource,
  type Sample,
  type Signature,
  type TensorInfo,
} from './sample.js';

type ArrayInfo = Pick<Tensor, 'dtype' | 'dims'>;

/** One `.npz`, or the `.npy` files that belong together: an array for each input. */
interface Bundle {
  readonly file: string;
  readonly arrays: ReadonlyMap<string, ArrayInfo>;
  load(): Promise<ReadonlyMap<string, Tensor>>;
}

/**
 * `.npy` and `.npz` files as inputs. In an `.npz` the keys are the names of the inputs; a model with one input takes
 * any single key, and any `.npy`. Models with several inputs take `.npy` files from folders named as the inputs,
 * those of one file name together. An array is one sample, with or without a batch axis; a lone file gives one
 * sample a row, and so does one whose rows are more than a fixed batch.
 * @throws WhittleError naming file and input where shapes, dtypes or keys do not fit
 */
export async function arrayInputs(files: readonly string[], signature: Signature): Promise<InputSource> {
  const required = signature.filter(info => !info.optional);
  const npz = files.filter(file => extname(file).toLowerCase() === '.npz');
  const npy = files.filter(file => extname(file).toLowerCase() === '.npy');
  const bundles = [
    ...(await Promise.all(npz.map(file => bundleOfNpz(file, signature, required)))),
    ...(await Promise.all(groupNpy(npy, required).map(bundleOfNpy))),
  ];
  const fits = bundles.map(bundle => fitBundle(bundle, signature, bundles.length === 1));
  const places = fits.flatMap(({ count }, b) => Array.from({ length: count }, (_, row) => ({ b, row })));
  const converted = new Set(
    bundles.flatMap(({ arrays }) =>
      signature.flatMap(({ name, dtype }) => {
        const given = arrays.get(name)?.dtype ?? dtype;
        return given === dtype ? [] : [`${name} from ${given} to ${dtype}`];
      }),
    ),
  );
  // Neighbouring samples often come from one file.
  let latest: { b: number; tensors: ReadonlyMap<string, Tensor> } | undefined;
  const about = {
    description: `${places.length} sample${places.length === 1 ? '' : 's'} from ${files.length} array file${files.length === 1 ? '' : 's'}`,
    notes: converted.size > 0 ? [`Converted: ${[...converted].join(', ')}.`] : [],
  };
  return indexedSource(about, places.length, async index => {
    const { b, row } = places[index]!;
    if (latest?.b !== b) latest = { b, tensors: await bundles[b]!.load() };
    const sample: Sample = {};
    for (const info of signature) {
      const tensor = latest.tensors.get(info.name);
      const fit = fits[b]!.inputs.get(info.name);
      if (tensor && fit) {
        sample[info.name] = convertTo(fit.take(tensor, row), info, bundles[b]!.file);
      }
    }
    return checkSample(sample, signature, bundles[b]!.file);
  });
}

async function bundleOfNpz(file: string, signature: Signature, required: Signature): Promise<Bundle> {
  const load = async () => {
    const arrays = readNpz(await read(file), file);
    const [only] = required;
    if (required.length === 1 && arrays.size === 1) return new Map([[only!.name, [...arrays.values()][0]!]]);
    const missing = required.find(info => !arrays.has(info.name));
    if (missing) {
      throw new WhittleError(`it has no array for input "${missing.name}"`, {
        file,
        value: missing.name,
        hint: `Its keys are ${[...arrays.keys()].join(', ')}; the model's inputs are ${signature.map(i => i.name).join(', ')}`,
      });
    }
    return arrays;
  };
  const arrays = await load();
  return {
    file,
    load,
    arrays: new Map([...arrays].map(([name, { dtype, dims }]) => [name, { dtype, dims }])),
  };
}

/** The `.npy` files that make one sample together, by the input that each feeds. */
function groupNpy(files: readonly string[], required: Signature): ReadonlyMap<string, string>[] {
  if (required.length === 1) return files.map(file => new Map([[required[0]!.name, file]]));
  const groups = new Map<string, Map<string, string>>();
  for (const file of files) {
    const input = basename(dirname(file));
    if (!required.some(info => info.name === input)) {
      throw new WhittleError(`the model has ${required.length} inputs, and this array does not say which`, {
        file,
        hint: `Save .npz files with the keys ${required.map(i => i.name).join(', ')}, or put .npy files into folders of these names`,
      });
    }
    const group = groups.get(basename(file)) ?? new Map<string, string>();
    groups.set(basename(file), group.set(input, file));
  }
  for (const [name, group] of groups) {
    const missing = required.find(info => !group.has(info.name));
    if (missing) {
      throw new WhittleError(`no "${name}" in the folder "${missing.name}"`, {
        file: [...group.values()][0]!,
        value: missing.name,
      });
    }
  }
  return [...groups.values()];
}

async function bundleOfNpy(group: ReadonlyMap<string, string>): Promise<Bundle> {
  const entries = [...group];
  const headers = entries.map(async ([name, file]) => [name, await readHeader(file)] as const);
  const tensors = () => entries.map(async ([name, file]) => [name, readNpy(await read(file), file)] as const);
  return {
    file: entries[0]![1],
    arrays: new Map(await Promise.all(headers)),
    load: async () => new Map(await Promise.all(tensors())),
  };
}

function fitBundle(bundle: Bundle, signature: Signature, rows: boolean) {
  const inputs = new Map<string, Fit>();
  let first: { info: TensorInfo; count: number } | undefined;
  for (const info of signature) {
    const array = bundle.arrays.get(info.name);
    if (!array) continue;
    const place = { file: bundle.file, value: info.name };
    const fit = fitArray(array.dims, info.shape, rows);
    if (!fit) {
      throw new WhittleError(
        `input "${info.name}" takes ${info.dtype} ${formatShape(info.shape)}, the array is ${array.dtype} ${formatShape(array.dims)}`,
        place,
      );
    }
    first ??= { info, count: fit.count };
    if (first.count !== fit.count) {
      throw new WhittleError(
        `its array for "${info.name}" makes ${fit.count} samples, that for "${first.info.name}" ${first.count}`,
        place,
      );
    }
    inputs.set(info.name, fit);
  }
  return { inputs, count: first?.count ?? 0 };
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new WhittleError(`cannot read the file: ${(cause as Error).message}`, { file, cause });
  }
}

/** Reads the header alone: a folder may hold more than the memory does. */
async function readHeader(file: string): Promise<ArrayInfo> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(NPY_HEADER_BYTES), 0, NPY_HEADER_BYTES, 0);
    const header = readNpyHeader(buffer.subarray(0, bytesRead), file);
    // A count of samples is read off the shape, so a shape that lies must not get further.
    checkNpyLength(header, (await handle.stat()).size, file);
    return header;
  } finally {
    await handle.close();
  }
}
