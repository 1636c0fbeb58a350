import { standardNormalQuantile } from './normal.js';

/** What `Random.state` gives and `Random.restore` takes: four unsigned 32-bit words. */
export type RandomState = readonly [number, number, number, number];

/**
 * Seeded random numbers that are the same on every machine and in every JavaScript engine: only integer operations,
 * IEEE additions, multiplications, divisions and square roots, no `Math.log` or `Math.cos`, whose last digit engines
 * may choose.
 *
 * Generator: sfc32 of PractRand (Chris Doty-Humphrey), a counter and 96 bits of chaotic state, period at least 2^32
 * for every seed and about 2^127 on average.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /**
   * @param seed a whole number; only its lowest 53 bits count
   * @param stream names an independent sequence under the same seed, e.g. a parameter's name
   */
  constructor(seed: number, stream = '') {
    this.a = Math.floor(seed / 2 ** 32) | 0;
    this.b = seed | 0;
    this.c = fnv1a(stream);
    // PractRand's own number of rounds after seeding three words.
    for (let i = 0; i < 15; i++) this.uint32();
  }

  /** A generator that continues where `state` was taken. */
  static restore(state: RandomState): Random {
    const random = new Random(0);
    [random.a, random.b, random.c, random.counter] = state.map(word => word | 0) as [
      number,
      number,
      number,
      number,
    ];
    return random;
  }

  get state(): RandomState {
    return [this.a >>> 0, this.b >>> 0, this.c >>> 0, this.counter >>> 0];
  }

  /** Uniform over all unsigned 32-bit integers. */
  uint32(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** Uniform in [low, high), on a grid of 2^32 points. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.uint32() / 2 ** 32);
  }

  /** A whole number in [0, count), without bias. `count` is at most 2^32. */
  integer(count: number): number {
    const limit = 2 ** 32 - (2 ** 32 % count);
    let word = this.uint32();
    while (word >= limit) word = this.uint32();
    return word % count;
  }

  /** Standard normal, by inversion; one draw of `uint32` each. */
  normal(): number {
    return standardNormalQuantile((this.uint32() + 0.5) / 2 ** 32);
  }

  /** 0 … count-1 in random order (Fisher–Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const kept = order[i]!;
      order[i] = order[j]!;
      order[j] = kept;
    }
    return order;
  }
}

/** 32-bit FNV-1a of a string's UTF-8 bytes. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}
