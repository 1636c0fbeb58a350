import { WhittleError } from '../graph/errors.js';

/** Means of metrics over batches, some of which count more than others. */
export class Means {
  private readonly sums: Map<string, number> = new Map();
  private weight = 0;

  /** @param weight how much the batch counts: its examples, or what its objective counts instead */
  add(metrics: Readonly<Record<string, number>>, weight: number): void {
    // The mean of nothing may be 0/0.
    if (weight === 0) return;
    for (const [name, value] of Object.entries(metrics)) {
      this.sums.set(name, (this.sums.get(name) ?? 0) + value * weight);
    }
    this.weight += weight;
  }

  /** @throws WhittleError where nothing counted */
  result(): Record<string, number> {
    if (this.weight === 0) {
      throw new WhittleError('nothing in the data set counts: all of its labels are ignored', {
        hint: 'Look at the labels, and at what ignoreIndex says',
      });
    }
    return Object.fromEntries([...this.sums].map(([name, sum]) => [name, sum / this.weight]));
  }
}
