import type { Tensor } from '../graph/tensor.js';
import type { OutputAgreement } from './report.js';

/** ‖y − ŷ‖ / ‖y‖ over any number of arrays, in float64. */
export class ErrorSum {
  private difference = 0;
  private norm = 0;

  add(expected: ArrayLike<number>, actual: ArrayLike<number>): void {
    for (let i = 0; i < expected.length; i++) {
      const error = expected[i]! - actual[i]!;
      this.difference += error * error;
      this.norm += expected[i]! * expected[i]!;
    }
  }

  /** 0 for nothing at all, infinite where something came of nothing, NaN where a NaN was met. */
  get relative(): number {
    if (this.difference === 0) return 0;
    return Math.sqrt(this.difference / this.norm);
  }
}

/** Compares one output of two models over many inputs. */
export class Agreement {
  private readonly errors = new ErrorSum();
  private readonly cosines: number[] = [];
  private same = 0;
  private positions = 0;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  add(expected: Tensor, actual: Tensor): void {
    const y = expected.toFloat32();
    const z = actual.toFloat32();
    this.errors.add(y, z);
    this.cosines.push(cosine(y, z));
    const width = expected.dims.at(-1) ?? 1;
    // Rows of class scores have meaning up to (batch, positions, classes); a picture's rows do not.
    if (expected.dims.length < 2 || expected.dims.length > 3 || width < 2) return;
    for (let start = 0; start < y.length; start += width) {
      this.positions++;
      if (argmax(y, start, width) === argmax(z, start, width)) this.same++;
    }
  }

  get result(): OutputAgreement {
    const order = this.cosines.map((value, sample) => ({ sample, cosine: value }));
    order.sort((a, b) => a.cosine - b.cosine);
    const mean = this.cosines.reduce((sum, value) => sum + value, 0) / this.cosines.length;
    return {
      name: this.name,
      relativeError: this.errors.relative,
      cosine: mean,
      cosine5: order[Math.floor(0.05 * order.length)]!.cosine,
      ...(this.positions > 0 && { top1: this.same / this.positions }),
      worst: order.slice(0, 5),
    };
  }
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
