import { sizeOf, Tensor } from '../../../src/graph/tensor.js';
import type { Network } from '../../../src/nn/network.js';

/** Pseudo-random 32-bit words of a name; `words` in make.py. */
function words(name: string, size: number): Uint32Array {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  const result = new Uint32Array(size);
  for (let i = 0; i < size; i++) {
    let x = (Math.imul(i, 0x9e3779b1) + seed) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    result[i] = x ^ (x >>> 15);
  }
  return result;
}

/** The function of a uniform number in ±1, for each element. */
function uniform(name: string, dims: readonly number[], value: (u: number) => number): Tensor {
  const data = new Float32Array(sizeOf(dims));
  const drawn = words(name, data.length);
  for (let i = 0; i < data.length; i++) data[i] = value(drawn[i]! / 2 ** 31 - 1);
  return Tensor.float32(dims, data);
}

/** The values of a parameter; `tensor` in make.py. */
export function parameterTensor(name: string, dims: readonly number[], factor = 1): Tensor {
  const scale = Math.sqrt((3 * dims[0]!) / sizeOf(dims));
  if (name.endsWith('running_var')) return uniform(name, dims, u => 1 + 0.5 * u);
  if (dims.length > 1) return uniform(name, dims, u => factor * Math.fround(u * scale));
  return uniform(name, dims, name.endsWith('weight') ? u => 1 + 0.2 * u : u => 0.2 * u);
}

export const imageTensor = (dims: readonly number[]): Tensor => uniform('pixel_values', dims, u => 1.5 * u);

export const idTensor = (name: string, dims: readonly number[], count: number): Tensor =>
  Tensor.int64(
    Array.from(words(name, sizeOf(dims)), word => word % count),
    dims,
  );

export function fill(network: Network): Network {
  for (const { name, dims } of network.parameters.values())
    network.setTensor(name, parameterTensor(name, dims));
  return network;
}
