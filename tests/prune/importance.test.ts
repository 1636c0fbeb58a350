import { inverse, Matrix } from 'ml-matrix';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Moment } from '../../src/calibrate/observe.js';
import { findSites } from '../../src/calibrate/sites.js';
import { initLinalg } from '../../src/linalg/index.js';
import { findConsumers } from '../../src/prune/consumers.js';
import { type ChannelGroup, findGroups } from '../../src/prune/groups.js';
import { stepsOf } from '../../src/prune/importance/curve.js';
import { magnitudeCurve } from '../../src/prune/importance/magnitude.js';
import { openReaders, reconstructionCurve } from '../../src/prune/importance/reconstruction.js';
import { Random } from '../../src/random/random.js';
import { transformer } from './networks.js';

beforeAll(() => initLinalg());

/** The neurons of a feed-forward net, and the layer that reads them. */
function neurons() {
  const model = transformer({ seed: 4, packed: false, symbolic: false, gated: false });
  const groups = findGroups(model);
  const group = groups.groups.find(({ size }) => size === 16)!;
  const consumer = findConsumers(findSites(model), groups.dependencies).find(({ columns }) =>
    columns.some(atoms => atoms.some(atom => group.atoms.includes(atom))),
  )!;
  return { group, consumer };
}

/** Sums over correlated vectors; `twins` makes two entries nearly the same. */
function momentOf(width: number, twins?: [number, number]): Moment {
  const random = new Random(9);
  const second = new Float64Array(width * width);
  const first = new Float64Array(width);
  const mix = Array.from({ length: width * width }, () => random.normal());
  for (let n = 0; n < 400; n++) {
    const source = Array.from({ length: width }, () => random.normal());
    const x = source.map((_, i) => 0.2 + source.reduce((sum, s, j) => sum + s * mix[i * width + j]!, 0));
    if (twins) x[twins[1]] = x[twins[0]]! + 1e-3 * random.normal();
    for (let i = 0; i < width; i++) {
      first[i]! += x[i]!;
      for (let j = 0; j < width; j++) second[i * width + j]! += x[i]! * x[j]!;
    }
  }
  return { groups: 1, width, count: 400, second: [second], first: [first] };
}

describe('importance by reconstruction', () => {
  it('is the error of the best refit, by the direct formula', () => {
    const { group, consumer } = neurons();
    const [reader] = openReaders(consumer, momentOf(16));
    const steps = [3, 8, 13];
    const curve = reconstructionCurve(group, steps, [reader!], 1);
    const w = Matrix.from1DArray(12, 16, Array.from(reader!.weight.data));
    const s = inverse(Matrix.from1DArray(16, 16, Array.from(reader!.inverse.data)));
    steps.forEach((step, i) => {
      const kept = [...Array(16).keys()].filter(channel => !curve.order.slice(0, step).includes(channel));
      const all = [...Array(16).keys()];
      // W' = W S[:,k] S[k,k]⁻¹
      const refit = w.mmul(s.subMatrixColumn(kept)).mmul(inverse(s.selection(kept, kept)));
      const full = Matrix.zeros(12, 16);
      kept.forEach((column, k) => {
        full.setColumn(column, refit.getColumn(k));
      });
      const difference = Matrix.sub(w, full);
      const error = difference.mmul(s).mmul(difference.transpose()).trace() / reader!.spread;
      expect(curve.errors[i]! / error).toBeCloseTo(1, 6);
      if (i === 1) {
        const weights = curve.weights.get(consumer.site)!;
        for (const r of all.slice(0, 12)) {
          for (const c of all) expect(weights[r * 16 + c]).toBeCloseTo(full.get(r, c), 4);
        }
      }
    });
  });

  it('takes one of two channels that say the same, and keeps the other', () => {
    const { group, consumer } = neurons();
    const twins = consumer.columns.flatMap((atoms, column) =>
      atoms.some(atom => atom === group.atoms[2] || atom === group.atoms[11]) ? [column] : [],
    ) as [number, number];
    const curve = reconstructionCurve(group, [1, 2, 10], openReaders(consumer, momentOf(16, twins)));
    expect([2, 11]).toContain(curve.order[0]);
    expect(curve.order.slice(0, 10).filter(channel => channel === 2 || channel === 11)).toHaveLength(1);
    expect(curve.errors[0]).toBeLessThan(1e-3);
  });
});

describe('importance by magnitude', () => {
  it('ranks channels by the energy of their slices', () => {
    const { group } = neurons();
    const curve = magnitudeCurve(group, [4, 15]);
    const energy = (channel: number) => {
      let sum = 0;
      for (const { constant, axis, indices } of group.slices[channel]!) {
        const tensor = constant.initializer as import('../../src/graph/tensor.js').Tensor;
        const data = Matrix.from1DArray(tensor.dims[0]!, tensor.dims[1] ?? 1, Array.from(tensor.toFloat32()));
        const total = data.norm('frobenius') ** 2;
        const own = axis === 0 ? data.getRow(indices[0]!) : data.getColumn(indices[0]!);
        sum += own.reduce((a, b) => a + b * b, 0) / total;
      }
      return sum;
    };
    const order = [...Array(16).keys()].sort((a, b) => energy(a) - energy(b));
    expect(curve.order).toEqual(order);
    expect(curve.errors[0]).toBeLessThan(curve.errors[1]!);
  });
});

describe('sizes that are left', () => {
  const group = (size: number, columns = 1): ChannelGroup => ({
    name: 'g',
    size,
    atoms: [],
    slices: [
      [{ constant: undefined as never, axis: 0, indices: Array.from({ length: columns }, (_, i) => i) }],
    ],
  });

  it.each([64, 60, 100, 480])('of %i channels are multiples of 8, and at least a tenth', size => {
    const left = stepsOf(group(size), 8).map(step => size - step);
    expect(left.length).toBeGreaterThan(3);
    expect(left.length).toBeLessThanOrEqual(13);
    expect(left.every(count => count % 8 === 0 && count >= size / 10)).toBe(true);
  });

  it('of heads and of few channels are any', () => {
    expect(stepsOf(group(12, 64), 8)).toContain(1);
    expect(stepsOf(group(6), 8)).toEqual([1, 2, 3, 4, 5]);
  });
});
