import type { Tensor } from '../graph/tensor.js';
import { bootstrapInterval } from './bootstrap.js';
import type { OutputAgreement } from './report.js';

/** ‖y − ŷ‖², ‖y‖², ‖ŷ‖² and yᵀŷ. */
interface Sums {
  readonly difference: number;
  readonly norm: number;
  readonly actualNorm: number;
  readonly product: number;
}

/** What one sample adds to the comparison of an output. */
interface SampleAgreement extends Sums {
  readonly size: number;
  readonly cosine: number;
  /** Positions whose largest entry is the same, and all positions. */
  readonly same: number;
  readonly positions: number;
}

/**
 * Compares one output of two models over many inputs. Where one model gives fewer numbers than the other, as detectors
 * do, those that it lacks count as zeros. The cosine of single numbers says no more than their sign: it is that of all
 * inputs' numbers as one vector.
 */
export class Agreement {
  private readonly samples: SampleAgreement[] = [];
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  add(expected: Tensor, actual: Tensor): void {
    const size = Math.max(expected.size, actual.size);
    const y = padded(expected.toFloat32(), size);
    const z = padded(actual.toFloat32(), size);
    const tops = expected.size === size ? topEntries(expected.dims, y, z) : { same: 0, positions: 0 };
    const sums = sumsOf(y, z);
    this.samples.push({ ...sums, size, cosine: cosineFrom(sums), ...tops });
  }

  get result(): OutputAgreement {
    const { samples } = this;
    const single = samples.every(({ size }) => size === 1);
    const cosineOf = single ? jointCosine : meanCosine;
    const order = samples.map(({ cosine }, sample) => ({ sample, cosine }));
    order.sort((a, b) => a.cosine - b.cosine);
    const interval = (statistic: (some: Iterable<SampleAgreement>) => number) =>
      bootstrapInterval(samples.length, selection => statistic(pick(samples, selection)));
    const hasTop1 = samples.some(({ positions }) => positions > 0);
    const intervals = {
      relativeError: interval(relativeError),
      cosine: interval(cosineOf),
      ...(hasTop1 && { top1: interval(top1) }),
    };
    return {
      name: this.name,
      relativeError: relativeError(samples),
      cosine: cosineOf(samples),
      ...(!single && { cosine5: order[Math.floor(0.05 * order.length)]!.cosine }),
      ...(hasTop1 && { top1: top1(samples) }),
      intervals: Object.fromEntries(Object.entries(intervals).filter(([, value]) => value)),
      worst: single ? [] : order.slice(0, 5),
    };
  }
}

function* pick<T>(items: readonly T[], indices: Iterable<number>): Generator<T> {
  for (const index of indices) yield items[index]!;
}

/** ‖y − ŷ‖ / ‖y‖: 0 for nothing at all, infinite where something came of nothing, NaN where a NaN was met. */
function relativeError(samples: Iterable<SampleAgreement>): number {
  let difference = 0;
  let norm = 0;
  for (const sample of samples) {
    difference += sample.difference;
    norm += sample.norm;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

function meanCosine(samples: Iterable<SampleAgreement>): number {
  let sum = 0;
  let count = 0;
  for (const { cosine } of samples) {
    sum += cosine;
    count++;
  }
  return sum / count;
}

/** Of all samples as one vector. */
function jointCosine(samples: Iterable<SampleAgreement>): number {
  const all = { product: 0, norm: 0, actualNorm: 0 };
  for (const { product, norm, actualNorm } of samples) {
    all.product += product;
    all.norm += norm;
    all.actualNorm += actualNorm;
  }
  return cosineFrom(all);
}

function top1(samples: Iterable<SampleAgreement>): number {
  let same = 0;
  let positions = 0;
  for (const sample of samples) {
    same += sample.same;
    positions += sample.positions;
  }
  return same / positions;
}

function padded(values: Float32Array, size: number): Float32Array {
  if (values.length === size) return values;
  const all = new Float32Array(size);
  all.set(values);
  return all;
}

function sumsOf(y: ArrayLike<number>, z: ArrayLike<number>): Sums {
  let difference = 0;
  let norm = 0;
  let actualNorm = 0;
  let product = 0;
  for (let i = 0; i < y.length; i++) {
    const a = y[i]!;
    const b = z[i]!;
    difference += (a - b) ** 2;
    norm += a * a;
    actualNorm += b * b;
    product += a * b;
  }
  return { difference, norm, actualNorm, product };
}

/** Rows of class scores have meaning up to (batch, positions, classes); a picture's rows do not. */
function topEntries(
  dims: readonly number[],
  y: Float32Array,
  z: Float32Array,
): Pick<SampleAgreement, 'same' | 'positions'> {
  const width = dims.at(-1) ?? 1;
  if (dims.length < 2 || dims.length > 3 || width < 2) return { same: 0, positions: 0 };
  let same = 0;
  for (let start = 0; start < y.length; start += width) {
    if (argmax(y, start, width) === argmax(z, start, width)) same++;
  }
  return { same, positions: y.length / width };
}

/** 1 for two zero vectors, 0 where only one is zero. */
export const cosine = (a: ArrayLike<number>, b: ArrayLike<number>): number => cosineFrom(sumsOf(a, b));

function cosineFrom({ product, norm, actualNorm }: Omit<Sums, 'difference'>): number {
  if (norm === 0 && actualNorm === 0) return 1;
  if (norm === 0 || actualNorm === 0) return 0;
  return product / Math.sqrt(norm * actualNorm);
}

function argmax(values: Float32Array, start: number, width: number): number {
  let best = start;
  for (let i = start + 1; i < start + width; i++) if (values[i]! > values[best]!) best = i;
  return best - start;
}
