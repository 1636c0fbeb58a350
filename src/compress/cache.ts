import type { Moment, Observation } from '../calibrate/observe.js';
import { inputVectors } from '../calibrate/second-moment.js';
import type { Site } from '../calibrate/sites.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { encodeModel } from '../onnx/index.js';
import type { Tensors } from '../runtime/index.js';
import { VERSION } from '../version.js';
import type { Candidate } from './method.js';

/** Where finished work is kept, by key. What cannot be read again counts as not there. */
export interface Store {
  read(key: string): Uint8Array<ArrayBuffer> | undefined;
  /** Whole or not at all. */
  write(key: string, parts: readonly Uint8Array[]): void;
}

/** Raise it when what is stored, or how it is computed, changes. */
const FORMAT = 9;

/**
 * Results of one model on certain inputs: what a layer's inputs were like, what candidates weigh and cost, what they do
 * to the outputs. A run that was killed, or one with another budget, finds what is there and computes the rest.
 */
export class Cache {
  private readonly store: Store;
  private readonly run: string;

  private constructor(store: Store, run: string) {
    this.store = store;
    this.run = run;
  }

  /** @param samples on which the model is observed; others make other results */
  static async open(store: Store, model: Model, samples: readonly Tensors[]): Promise<Cache> {
    const inputs = samples.flatMap(sample =>
      Object.entries(sample).flatMap(([name, tensor]) => [
        encode(`${name} ${tensor.dtype} ${tensor.dims}`),
        ...(tensor.dtype === 'string' ? tensor.stringBytes() : [tensor.bytes()]),
      ]),
    );
    const run = await digest([
      `whittle ${VERSION} ${FORMAT}`,
      await digest(encodeModel(model)),
      await digest(inputs),
    ]);
    return new Cache(store, run);
  }

  /** The same results, of what other inputs decide as well. */
  async with(samples: readonly Tensors[]): Promise<Cache> {
    const inputs = samples.flatMap(sample => Object.values(sample).map(tensor => tensor.bytes()));
    return new Cache(this.store, await digest([this.run, await digest(inputs)]));
  }

  /** Whether the observation of a site is there. */
  knows(site: Site): boolean {
    return this.store.read(this.key('observation', keyOf(site))) !== undefined;
  }

  /** @throws WhittleError where it is not there, or not any more */
  observation(site: Site): Observation {
    const bytes = this.store.read(this.key('observation', keyOf(site)));
    if (bytes) return decodeObservation(bytes);
    throw new WhittleError('what calibration saw of a layer is gone from the cache', {
      value: site.value.name,
      hint: 'Something deleted or changed the files of the cache during the run; run it again',
    });
  }

  keep(site: Site, observation: Observation): void {
    this.store.write(this.key('observation', keyOf(site)), encodeObservation(observation));
  }

  /** Numbers by name, for one site. */
  figures(kind: string, site: Site): Figures {
    const key = this.key(kind, site.value.name);
    const bytes = this.store.read(key);
    const known = bytes ? (JSON.parse(new TextDecoder().decode(bytes)) as Record<string, number>) : {};
    return new Figures(known, figures => this.store.write(key, [encode(JSON.stringify(figures))]));
  }

  /** Whether there are numbers of that kind for a site. */
  knowsFigures(kind: string, site: Site): boolean {
    return this.store.read(this.key(kind, site.value.name)) !== undefined;
  }

  private key(kind: string, name: string): string {
    return `${this.run}/${kind}/${name}`;
  }
}

/** Numbers that are computed once. */
export class Figures {
  private readonly known: Record<string, number>;
  private readonly write: (known: Record<string, number>) => void;
  private changed = false;

  constructor(known: Record<string, number> = {}, write: (known: Record<string, number>) => void = () => {}) {
    this.known = known;
    this.write = write;
  }

  get all(): Readonly<Record<string, number>> {
    return this.known;
  }

  get(name: string): number | undefined {
    return this.known[name];
  }

  set(name: string, value: number): void {
    // JSON has no infinities; they are computed again.
    if (!Number.isFinite(value)) return;
    this.known[name] = value;
    this.changed = true;
  }

  /** What is known, or else what `compute` gives. */
  once(name: string, compute: () => number): number {
    return this.known[name] ?? (this.keep(name, compute()) as number);
  }

  /** Remembers a number once it is there. */
  keep(name: string, value: number | Promise<number>): number | Promise<number> {
    if (typeof value !== 'number') return value.then(v => this.keep(name, v));
    this.set(name, value);
    return value;
  }

  /** Stores what is new. */
  save(): void {
    if (this.changed) this.write(this.known);
    this.changed = false;
  }
}

/** What tells a candidate from the others of its layer. */
export const candidateKey = ({ method, label, rank, form }: Candidate): string =>
  [method, label, rank ?? '', form ?? ''].join('|');

/** Sites that read the same vectors share an observation. */
const keyOf = (site: Site): string =>
  inputVectors(site)
    ?.map(({ key }) => key)
    .join(' + ') ?? `rows of ${site.value.name}`;

const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Bytes that are hashed at once. */
const PIECE = 2 ** 22;

/** SHA-256 over the SHA-256 of each piece, as hexadecimal digits. */
async function digest(parts: Iterable<Uint8Array | string>): Promise<string> {
  const sums: Uint8Array[] = [];
  let piece = new Uint8Array(PIECE);
  let filled = 0;
  const flush = async (bytes: Uint8Array<ArrayBuffer>) => {
    sums.push(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
  };
  for (const part of parts) {
    const bytes = typeof part === 'string' ? encode(part) : part;
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, PIECE - filled);
      piece.set(bytes.subarray(at, at + count), filled);
      filled += count;
      at += count;
      if (filled < PIECE) continue;
      await flush(piece);
      filled = 0;
    }
  }
  piece = piece.slice(0, filled);
  await flush(piece);
  const all = new Uint8Array(sums.length * 32);
  for (const [i, sum] of sums.entries()) all.set(sum, i * 32);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return Array.from(hash, byte => byte.toString(16).padStart(2, '0')).join('');
}

/** A header of numbers, then the sums; of symmetric matrices the lower triangle. */
function encodeObservation({ moment, tokenCounts }: Observation): Uint8Array[] {
  const { groups = 0, width = 0, count = 0 } = moment ?? {};
  const parts = [Float64Array.of(groups, width, count, tokenCounts?.length ?? 0)];
  for (let g = 0; g < groups; g++) {
    const triangle = new Float64Array((width * (width + 1)) / 2);
    for (let i = 0, at = 0; i < width; at += ++i) {
      triangle.set(moment!.second[g]!.subarray(i * width, i * width + i + 1), at);
    }
    parts.push(triangle, moment!.first[g]! as Float64Array<ArrayBuffer>);
  }
  if (tokenCounts) parts.push(tokenCounts as Float64Array<ArrayBuffer>);
  return parts.map(part => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
}

function decodeObservation(bytes: Uint8Array<ArrayBuffer>): Observation {
  const numbers = new Float64Array(bytes.slice().buffer);
  const [groups, width, count, tokens] = numbers as unknown as [number, number, number, number];
  let at = 4;
  const take = (length: number) => {
    at += length;
    return numbers.slice(at - length, at);
  };
  const second: Float64Array<ArrayBuffer>[] = [];
  const first: Float64Array<ArrayBuffer>[] = [];
  for (let g = 0; g < groups; g++) {
    const triangle = take((width * (width + 1)) / 2);
    const whole = new Float64Array(width * width);
    for (let i = 0, from = 0; i < width; i++) {
      for (let j = 0; j <= i; j++, from++) {
        whole[i * width + j] = triangle[from]!;
        whole[j * width + i] = triangle[from]!;
      }
    }
    second.push(whole);
    first.push(take(width));
  }
  const moment: Moment = { groups, width, count, second, first };
  return { ...(groups > 0 && { moment }), ...(tokens > 0 && { tokenCounts: take(tokens) }) };
}
