import type { Tensor } from '../graph/tensor.js';
import { bootstrapInterval } from './bootstrap.js';
import type { OutputAgreement } from './report.js';

/** What one sample adds to the comparison of an output. */
interface SampleAgreement {
  /** ‖y − ŷ‖² and ‖y‖². */
  readonly difference: number;
  readonly norm: number;
  readonly cosine: number;
  /** Positions whose largest entry is the same, and all positions. */
  readonly same: number;
  readonly positions: number;
}

/** Compares one output of two models over many inputs. */
export class Agreement {
  private readonly samples: SampleAgreement[] = [];
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  add(expected: Tensor, actual: Tensor): void {
    const y = expected.toFloat32();
    const z = actual.toFloat32();
    this.samples.push({ ...distance(y, z), cosine: cosine(y, z), ...topEntries(expected.dims, y, z) });
  }

  get result(): OutputAgreement {
    const { samples } = this;
    const order = samples.map(({ cosine }, sample) => ({ sample, cosine }));
    order.sort((a, b) => a.cosine - b.cosine);
    const interval = (statistic: (some: Iterable<SampleAgreement>) => number) =>
      bootstrapInterval(samples.length, selection => statistic(pick(samples, selection)));
    const hasTop1 = samples.some(({ positions }) => positions > 0);
    const intervals = {
      relativeError: interval(relativeError),
      cosine: interval(meanCosine),
      ...(hasTop1 && { top1: interval(top1) }),
    };
    return {
      name: this.name,
      relativeError: relativeError(samples),
      cosine: meanCosine(samples),
      cosine5: order[Math.floor(0.05 * order.length)]!.cosine,
      ...(hasTop1 && { top1: top1(samples) }),
      intervals: Object.fromEntries(Object.entries(intervals).filter(([, value]) => value)),
      worst: order.slice(0, 5),
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

function top1(samples: Iterable<SampleAgreement>): number {
  let same = 0;
  let positions = 0;
  for (const sample of samples) {
    same += sample.same;
    positions += sample.positions;
  }
  return same / positions;
}

function distance(y: Float32Array, z: Float32Array): Pick<SampleAgreement, 'difference' | 'norm'> {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < y.length; i++) {
    difference += (y[i]! - z[i]!) ** 2;
    norm += y[i]! * y[i]!;
  }
  return { difference, norm };
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
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
    bb += b[i]! * b[i]!;
  }
  if (aa === 0 && bb === 0) return 1;
  if (aa === 0 || bb === 0) return 0;
  return ab / Math.sqrt(aa * bb);
}

function argmax(values: Float32Array, start: number, width: number): number {
  let best = start;
  for (let i = start + 1; i < start + width; i++) if (values[i]! > values[best]!) best = i;
  return best - start;
}
