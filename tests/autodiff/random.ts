/** Reproducible random numbers (mulberry32). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** In [0, 1). */
  uniform(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]!;
  }

  normals(size: number): Float64Array {
    return Float64Array.from({ length: size }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
      return radius * Math.cos(2 * Math.PI * this.uniform());
    });
  }

  /** A shape of that rank with sizes from 1 to 4. */
  shape(rank: number, high = 4): number[] {
    return Array.from({ length: rank }, () => this.integer(1, high));
  }
}
