import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import type { Graph } from '../../src/graph/graph.js';
import { SparseTensor } from '../../src/graph/sparse.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { decodeModel, encodeModel, encodeToBytes } from '../../src/onnx/index.js';
import { MODELS } from './installed-models.js';

/** Marsaglia's xorshift32: the same mutations on every machine. */
function random(seed: number): (below: number) => number {
  let state = seed | 1;
  return below => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

type Mutation = (bytes: Uint8Array, pick: (below: number) => number) => Uint8Array;

const MUTATIONS: Record<string, Mutation> = {
  flip(bytes, pick) {
    for (let i = pick(8); i >= 0; i--) bytes[pick(bytes.length)]! ^= 1 << pick(8);
    return bytes;
  },
  overwrite(bytes, pick) {
    for (let i = pick(4); i >= 0; i--) bytes[pick(bytes.length)] = [0, 1, 0x7f, 0x80, 0xff][pick(5)]!;
    return bytes;
  },
  truncate: (bytes, pick) => bytes.subarray(0, pick(bytes.length)),
  /** A varint of 2^0 to 2^63 in place of what was there: as a length, far beyond the end. */
  enlarge(bytes, pick) {
    const at = pick(bytes.length);
    const length = 1 + pick(10);
    for (let i = 0; i < length; i++) bytes[at + i] = i < length - 1 ? 0x80 : 1;
    return bytes;
  },
  remove(bytes, pick) {
    const at = pick(bytes.length);
    return new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at + 1 + pick(40))]);
  },
  splice(bytes, pick) {
    const length = 1 + pick(200);
    bytes.copyWithin(pick(bytes.length), pick(bytes.length), pick(bytes.length) + length);
    return bytes;
  },
  repeat(bytes, pick) {
    const at = pick(bytes.length);
    const piece = bytes.subarray(at, at + 1 + pick(100));
    return new Uint8Array([...bytes.subarray(0, at), ...piece, ...bytes.subarray(at)]);
  },
};

function* tensorsOf(graph: Graph): Generator<Tensor> {
  for (const { initializer } of graph.initializers) {
    if (initializer instanceof SparseTensor) yield* [initializer.values, initializer.indices];
    else if (initializer) yield initializer;
  }
  for (const node of graph.allNodes()) {
    for (const attribute of node.attributes.values()) if (attribute.type === 'tensor') yield attribute.value;
  }
}

/** Decodes, reads all weights and writes again; false where that was refused. Any other error passes through. */
function survives(bytes: Uint8Array): boolean {
  try {
    const model = decodeModel(bytes, { external: () => new Uint8Array(64) });
    let claimed = 0;
    for (const tensor of tensorsOf(model.graph)) {
      claimed += tensor.byteLength;
      // Plain comparisons: there are hundreds of thousands.
      if (tensor.dtype !== 'string' && tensor.bytes().byteLength !== tensor.byteLength) {
        throw new Error('a tensor gave another number of bytes than it says');
      }
    }
    // A number takes at least one byte in the file and at most eight in memory.
    if (claimed > 8 * bytes.byteLength) throw new Error('tensors claim more memory than the file can fill');
    for (const _ of encodeModel(model));
    return true;
  } catch (error) {
    if (error instanceof WhittleError) return false;
    throw error;
  }
}

/** The structure of a model file, its weights cut down so that mutations hit what is decoded. */
function structureOf(path: string): Uint8Array {
  const model = decodeModel(readFileSync(path));
  for (const node of model.graph.allNodes()) {
    const value = node.attributes.get('value');
    if (value?.type !== 'tensor' || value.value.byteLength < 64) continue;
    const { dtype } = value.value;
    node.setAttribute('value', new (value.value.constructor as typeof Tensor)(dtype, [0], new Uint8Array(0)));
  }
  model.graph.outputs.length = Math.min(model.graph.outputs.length, 9);
  return encodeToBytes(model);
}

const SEEDS: [name: string, bytes: Uint8Array, rounds: number][] = [
  ['the golden model', readFileSync(new URL('./golden/everything.onnx', import.meta.url)), 250],
  ...MODELS.filter(path => /cls_infer|silero_vad_v5/.test(path)).map((path): [string, Uint8Array, number] => [
    path,
    structureOf(path),
    50,
  ]),
];

describe.each(SEEDS)('mutations of %s', (_name, original, rounds) => {
  it.each(Object.keys(MUTATIONS))('%s', kind => {
    const pick = random(0x5eed + kind.length * 7919);
    let survived = 0;
    for (let i = 0; i < rounds; i++) {
      if (survives(MUTATIONS[kind]!(Uint8Array.from(original), pick))) survived++;
    }
    expect(survives(original)).toBe(true);
    // Both ends are reached: mutations that matter, and the code behind those that do not.
    expect(survived).toBeLessThan(rounds);
  });
});
