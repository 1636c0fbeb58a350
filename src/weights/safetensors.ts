import { byteLengthOf, type DType } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { asSource, type ByteSource } from '../onnx/source.js';
import { dtypeOfSafetensors, safetensorsName } from './dtypes.js';

/** Named tensors and the free text beside them. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reference implementation's own limit on the header. */
const MAX_HEADER = 100_000_000;

/** What the header says of one tensor. */
interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a safetensors file: its header now, each tensor's bytes when they are asked for.
 *
 * The format: 8 bytes of header length, little-endian; a JSON object of `{dtype, shape, data_offsets}` by name; the
 * tensors back to back. All of it is checked, for files come from strangers: offsets must cover the rest of the file
 * without gap or overlap, and lengths must fit dtype and shape.
 * @throws WhittleError naming the tensor and what is wrong
 * https://huggingface.co/docs/safetensors
 */
export function readSafetensors(input: ByteSource | Uint8Array | ArrayBuffer, name?: string): Safetensors {
  const source = asSource(input, name);
  const fail = (problem: string, value?: string): never => {
    throw new WhittleError(`broken safetensors file: ${problem}`, {
      ...(source.name !== undefined && { file: source.name }),
      ...(value !== undefined && { value }),
      hint: 'Get the file again',
    });
  };
  if (source.size < 8) fail(`it has ${source.size} bytes`);
  const lengthBytes = source.read(0, 8);
  const length = Number(new DataView(lengthBytes.buffer, lengthBytes.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_HEADER || 8 + length > source.size) fail(`a header of ${length} bytes does not fit`);
  const header = parseHeader(source.read(8, length), fail);
  const base = 8 + length;

  const metadata: Record<string, string> = Object.create(null);
  const entries: Entry[] = [];
  for (const [key, value] of header) {
    if (key === '__metadata__') {
      if (!isRecord(value)) fail('the metadata is no object');
      for (const [k, v] of Object.entries(value as object)) {
        if (typeof v !== 'string') fail(`the metadata "${k}" is no text`);
        metadata[k] = v as string;
      }
    } else entries.push(readEntry(key, value, fail));
  }
  checkCover(entries, source.size - base, fail);
  const tensors = new Map<string, Tensor>();
  for (const { name: key, dtype, dims, start, end } of entries) {
    const storage = { byteLength: end - start, read: () => source.read(base + start, end - start) };
    tensors.set(key, new Tensor(dtype, dims, storage));
  }
  return { tensors, metadata };
}

type Fail = (problem: string, value?: string) => never;

function parseHeader(bytes: Uint8Array, fail: Fail): [string, unknown][] {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    fail('its header is no JSON');
  }
  if (!isRecord(header)) fail('its header is no JSON object');
  return Object.entries(header as object);
}

function readEntry(name: string, value: unknown, fail: Fail): Entry {
  const { dtype: dtypeName, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  if (typeof dtypeName !== 'string' || !isNaturals(shape) || !isNaturals(offsets) || offsets.length !== 2) {
    return fail('an entry needs dtype, shape and data_offsets', name);
  }
  const dtype = dtypeOfSafetensors(dtypeName);
  if (!dtype) return fail(`dtype ${dtypeName} is not known`, name);
  const [start, end] = offsets as [number, number];
  const expected = byteLengthOf(dtype, sizeOf(shape));
  if (end - start !== expected) {
    fail(`${dtypeName} [${shape.join(', ')}] takes ${expected} bytes, not ${end - start}`, name);
  }
  return { name, dtype, dims: shape, start, end };
}

/** Tensors must lie back to back from 0 to the end: else bytes could hide, or be read twice. */
function checkCover(entries: readonly Entry[], size: number, fail: Fail): void {
  let at = 0;
  for (const { name, start, end } of [...entries].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== at) fail(`its bytes begin at ${start} instead of ${at}`, name);
    at = end;
  }
  if (at !== size) fail(`the tensors take ${at} bytes, the file has ${size} for them`);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isNaturals = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(n => Number.isSafeInteger(n) && n >= 0);

/**
 * Encodes tensors piece by piece, each read when its turn comes. As in the reference implementation the largest
 * elements come first, so that every tensor is aligned, and equal types are in order of their names.
 * @throws WhittleError for a dtype that the format has no name for
 */
export function* encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const sorted = [...tensors].sort(
    ([a, x], [b, y]) => widthOf(y) - widthOf(x) || (a < b ? -1 : a > b ? 1 : 0),
  );
  const header: Record<string, unknown> = Object.create(null);
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let at = 0;
  for (const [name, { dtype, dims, byteLength }] of sorted) {
    const dtypeName = safetensorsName(dtype);
    if (dtypeName === undefined || name === '__metadata__') {
      throw new WhittleError(
        dtypeName === undefined
          ? `safetensors cannot hold ${dtype} tensors`
          : 'safetensors uses this name itself',
        { value: name },
      );
    }
    header[name] = { dtype: dtypeName, shape: dims, data_offsets: [at, at + byteLength] };
    at += byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(json, 8);
  yield padded;
  for (const [, tensor] of sorted) yield tensor.bytes();
}

/** Bytes of an element, which decide its place. */
const widthOf = ({ dtype }: Tensor): number => byteLengthOf(dtype, 8) / 8;
