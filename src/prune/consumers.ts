import type { Moment } from '../calibrate/observe.js';
import type { Site } from '../calibrate/sites.js';
import { sizeOf } from '../graph/tensor.js';
import type { Dependencies } from './dependencies.js';
import { isFree, type Label } from './labels.js';

/** A linear layer or convolution that sums over channels of groups. */
export interface Consumer {
  readonly site: Site;
  /** The atoms of each column of its weight as a matrix. */
  readonly columns: readonly (readonly Label[])[];
}

/** The layers whose inputs have channels that can go. */
export function findConsumers(sites: readonly Site[], dependencies: Dependencies): Consumer[] {
  const found: Consumer[] = [];
  for (const site of sites) {
    if (site.nested || site.mixed || site.layout.split !== 1) continue;
    if (site.kind !== 'linear' && site.kind !== 'conv' && site.kind !== 'conv-transpose') continue;
    const [, inputs, ...kernel] = site.layout.perm as [number, number, ...number[]];
    const axis = dependencies.axesOf(site.value)?.[inputs];
    if (!isFree(axis)) continue;
    const area = sizeOf(kernel.map(at => site.tensor.dims[at]!));
    const atoms = Array.from(axis, label => dependencies.labels.atomsOf(label));
    if (atoms.every(own => own.length === 0)) continue;
    found.push({ site, columns: atoms.flatMap(own => Array.from({ length: area }, () => own)) });
  }
  return found;
}

/** Mean and covariance of the inputs of one group of a convolution, or of a whole layer. */
export interface Statistics {
  /** (width, width) */
  readonly covariance: Float64Array<ArrayBuffer>;
  readonly mean: Float64Array;
}

export function statisticsOf({ second, first, count, width }: Moment, group: number): Statistics {
  const mean = first[group]!.map(sum => sum / count);
  const covariance = new Float64Array(width * width);
  const own = second[group]!;
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < width; j++)
      covariance[i * width + j] = own[i * width + j]! / count - mean[i]! * mean[j]!;
  }
  return { covariance, mean };
}

/** Adds a share of the mean variance to the diagonal, in place. */
export function ridge(covariance: Float64Array, width: number, share: number): number {
  let trace = 0;
  for (let i = 0; i < width; i++) trace += covariance[i * width + i]!;
  const added = (share * trace) / width || 1e-12;
  for (let i = 0; i < width; i++) covariance[i * width + i]! += added;
  return added;
}

/** Few vectors say little of many dimensions. */
export const ridgeShare = (width: number, count: number): number =>
  1e-4 + (0.02 * width) / Math.max(1, count);
