import type { Tensor } from '../graph/tensor.js';
import type { Tensors } from '../runtime/index.js';

/**
 * How far a model's outputs are from the original's, as one number that adds up over small independent changes: for
 * probabilities the mean Kullback–Leibler divergence in nats, for everything else the squared error over the variance
 * of the output. 0 means the same.
 */
export class Distortion {
  private readonly reference: readonly Tensors[];
  private readonly scales: ReadonlyMap<string, OutputScale>;
  /** The likely classes of each sample, by output. */
  private readonly likely = new Map<string, Likely>();

  /** @param reference the original's outputs, one record per sample */
  constructor(reference: readonly Tensors[]) {
    this.reference = reference;
    const names = Object.keys(reference[0] ?? {}).filter(name => reference[0]![name]!.dtype !== 'string');
    this.scales = new Map(names.map(name => [name, outputScale(reference.map(outputs => outputs[name]!))]));
  }

  /** Compares one more sample. NaN outputs are infinitely far. */
  ofSample(sample: number, outputs: Tensors): number {
    let sum = 0;
    for (const [name, scale] of this.scales) {
      const expected = this.reference[sample]![name]!.toFloat32();
      const actual = outputs[name]!.toFloat32();
      sum +=
        scale.kind === 'probabilities'
          ? divergence(this.likelyOf(sample, name, expected), actual, scale.width)
          : squaredError(expected, actual) / (scale.variance * Math.max(1, expected.length));
    }
    return Number.isNaN(sum) ? Infinity : sum / this.scales.size;
  }

  private likelyOf(sample: number, name: string, expected: Float32Array): Likely {
    const key = `${sample} ${name}`;
    const known = this.likely.get(key) ?? findLikely(expected);
    this.likely.set(key, known);
    return known;
  }
}

type OutputScale =
  | { readonly kind: 'probabilities'; readonly width: number }
  | { readonly kind: 'values'; readonly variance: number };

function outputScale(outputs: readonly Tensor[]): OutputScale {
  const width = outputs[0]!.dims.at(-1) ?? 1;
  if (width > 1 && outputs.every(output => sumsToOne(output.toFloat32(), width))) {
    return { kind: 'probabilities', width };
  }
  let sum = 0;
  let squares = 0;
  let count = 0;
  for (const output of outputs) {
    for (const value of output.toFloat32()) {
      sum += value;
      squares += value * value;
      count++;
    }
  }
  return { kind: 'values', variance: Math.max((squares - sum ** 2 / count) / count, 1e-12 * squares, 1e-30) };
}

function sumsToOne(values: Float32Array, width: number): boolean {
  for (let start = 0; start < values.length; start += width) {
    let sum = 0;
    for (let i = start; i < start + width; i++) {
      if (!(values[i]! >= 0)) return false;
      sum += values[i]!;
    }
    if (Math.abs(sum - 1) > 1e-3) return false;
  }
  return true;
}

/** Entries that have a part in a divergence, and their probabilities. */
interface Likely {
  readonly at: Uint32Array;
  readonly p: Float32Array;
}

/** Less likely classes are left out: of thousands, a handful hold nearly all of the probability. */
const LIKELY = 1e-6;

function findLikely(p: Float32Array): Likely {
  const at: number[] = [];
  for (let i = 0; i < p.length; i++) if (p[i]! > LIKELY) at.push(i);
  return { at: Uint32Array.from(at), p: Float32Array.from(at, i => p[i]!) };
}

/**
 * Mean over rows of Σ p ln(p / q) − p + q. The sum of q − p over a whole row is zero; with it, each term is zero or
 * more and small where p and q are alike, so that leaving some out does little.
 */
function divergence({ at, p }: Likely, q: Float32Array, width: number): number {
  let sum = 0;
  for (let i = 0; i < at.length; i++) {
    const actual = Math.max(q[at[i]!]!, 1e-10);
    sum += p[i]! * Math.log(p[i]! / actual) - p[i]! + actual;
  }
  return Math.max(0, (sum * width) / q.length);
}

function squaredError(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
