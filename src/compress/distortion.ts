import type { Tensor } from '../graph/tensor.js';
import type { Tensors } from '../runtime/index.js';

/**
 * How far a model's outputs are from the original's, as one number that adds up over small independent changes: the
 * squared error over the variance of the output. Of probabilities it compares the logits, of the likeliest classes.
 * A Kullback–Leibler divergence would hang on the few places where the model is in doubt, and so be mostly chance on
 * the few samples of a probe; what shifts logits in those places shifts them everywhere. 0 means the same.
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
          ? logitError(this.likelyOf(sample, name, expected, scale.width), actual, scale.width)
          : squaredError(expected, actual) / (scale.variance * Math.max(1, expected.length));
    }
    return Number.isNaN(sum) ? Infinity : sum / this.scales.size;
  }

  private likelyOf(sample: number, name: string, expected: Float32Array, width: number): Likely {
    const key = `${sample} ${name}`;
    const known = this.likely.get(key) ?? findLikely(expected, width);
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

/** The likeliest classes of each row: where they stand and their logits. */
interface Likely {
  /** `TOP` for each row. */
  readonly at: Uint32Array;
  readonly logits: Float64Array;
  /** Variance of the logits within a row, mean over rows. */
  readonly variance: number;
}

/** Classes of each row that are compared. */
const TOP = 4;

/** Logarithm of a probability; below this they are rounding errors of the softmax. */
const logit = (p: number): number => Math.log(Math.max(p, 1e-12));

function findLikely(p: Float32Array, width: number): Likely {
  const top = Math.min(TOP, width);
  const rows = p.length / width;
  const at = new Uint32Array(rows * top);
  for (let r = 0; r < rows; r++) {
    const best = at.subarray(r * top, (r + 1) * top);
    best.fill(r * width);
    let count = 0;
    for (let i = r * width; i < (r + 1) * width; i++) {
      if (count === top && p[i]! <= p[best[top - 1]!]!) continue;
      // Insertion into the short sorted list.
      let place = count < top ? count++ : top - 1;
      for (; place > 0 && p[best[place - 1]!]! < p[i]!; place--) best[place] = best[place - 1]!;
      best[place] = i;
    }
  }
  const logits = Float64Array.from(at, i => logit(p[i]!));
  return { at, logits, variance: Math.max(spread(logits, top), 1e-12) };
}

/** Σ (Δ − mean Δ)² over the likeliest classes of a row, Δ the change of a logit; mean over rows, against the variance. */
function logitError({ at, logits, variance }: Likely, q: Float32Array, width: number): number {
  const top = Math.min(TOP, width);
  return (
    spread(
      logits.map((z, i) => logit(q[at[i]!]!) - z),
      top,
    ) / variance
  );
}

/** Variance within runs of `length` values, mean over the runs. */
function spread(values: Float64Array, length: number): number {
  let sum = 0;
  for (let start = 0; start < values.length; start += length) {
    let [first, second] = [0, 0];
    for (let i = start; i < start + length; i++) {
      first += values[i]!;
      second += values[i]! ** 2;
    }
    sum += Math.max(0, second - first ** 2 / length);
  }
  return sum / values.length;
}

function squaredError(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
