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
          ? divergence(expected, actual, scale.width)
          : squaredError(expected, actual) / (scale.variance * Math.max(1, expected.length));
    }
    return Number.isNaN(sum) ? Infinity : sum / this.scales.size;
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

/** Mean over rows of Σ p ln(p / q). Probabilities below float32's resolution count as that. */
function divergence(p: Float32Array, q: Float32Array, width: number): number {
  const floor = 1e-10;
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    if (p[i]! > floor) sum += p[i]! * Math.log(p[i]! / Math.max(q[i]!, floor));
  }
  return Math.max(0, (sum * width) / p.length);
}

function squaredError(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}
