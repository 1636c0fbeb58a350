/**
 * Standard normal numbers, the same for the same seed: xoshiro128** (Blackman & Vigna 2018) seeded by SplitMix32, and
 * the Box–Muller transform. Not for cryptography.
 */
export function normalNumbers(count: number, seed: number): Float64Array<ArrayBuffer> {
  const next = uniform(seed);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** Numbers in [0, 1) with 32 bits. */
function uniform(seed: number): () => number {
  let splitMix = seed | 0;
  const [a, b, c, d] = Array.from({ length: 4 }, () => {
    splitMix = (splitMix + 0x9e3779b9) | 0;
    let t = Math.imul(splitMix ^ (splitMix >>> 16), 0x21f0aaad);
    t = Math.imul(t ^ (t >>> 15), 0x735a2d97);
    return t ^ (t >>> 15);
  }) as [number, number, number, number];
  const state = Int32Array.of(a, b, c, d);
  return () => {
    const times5 = Math.imul(state[1]!, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    const shifted = state[1]! << 9;
    state[2]! ^= state[0]!;
    state[3]! ^= state[1]!;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= shifted;
    state[3] = (state[3]! << 11) | (state[3]! >>> 21);
    return result / 2 ** 32;
  };
}
