import fc from 'fast-check';
import { expect } from 'vitest';
import { checkModel } from '../../src/graph/check.js';
import { WhittleError } from '../../src/graph/errors.js';
import type { Model } from '../../src/graph/model.js';
import type { Tensor } from '../../src/graph/tensor.js';
import type { ChannelGroup, Groups } from '../../src/prune/groups.js';
import { maskChannels } from '../../src/prune/mask.js';
import { removeChannels, type Selection } from '../../src/prune/remove.js';
import { createSession, type Tensors } from '../../src/runtime/index.js';

/** Some channels of some groups, never all of a group. */
export function selectionOf(groups: readonly ChannelGroup[]): fc.Arbitrary<Selection> {
  return fc
    .tuple(...groups.map(group => fc.subarray([...Array(group.size).keys()], { maxLength: group.size - 1 })))
    .map(chosen => new Map(groups.map((group, i) => [group, chosen[i]!])));
}

/** Groups that share an axis can empty it together; that is refused, and said. */
export function isViable(model: Model, groups: Groups, selection: Selection): boolean {
  try {
    removeChannels(model, groups, selection);
    return true;
  } catch (error) {
    if (error instanceof WhittleError && error.message.includes('would lose all')) return false;
    throw error;
  }
}

export async function run(model: Model, feeds: Tensors): Promise<Record<string, Tensor>> {
  const session = await createSession(model, { threads: 1 });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** Largest difference over the largest entry. */
export function difference(a: Tensor, b: Tensor): number {
  expect(b.dims).toEqual(a.dims);
  const [x, y] = [a.toFloat32(), b.toFloat32()];
  let [most, scale] = [0, 1e-9];
  for (let i = 0; i < x.length; i++) {
    most = Math.max(most, Math.abs(x[i]! - y[i]!));
    scale = Math.max(scale, Math.abs(x[i]!));
  }
  return Number.isNaN(most) ? Infinity : most / scale;
}

/** The law of structured pruning: what is left computes what the masked model computes. */
export async function holdsLaw(
  model: Model,
  groups: Groups,
  selection: Selection,
  feeds: Tensors,
  tolerance = 1e-4,
): Promise<Model> {
  const pruned = removeChannels(model, groups, selection);
  expect(checkModel(pruned).filter(problem => problem.severity === 'error')).toEqual([]);
  const [expected, actual] = [
    await run(maskChannels(model, groups, selection), feeds),
    await run(pruned, feeds),
  ];
  for (const name of Object.keys(expected)) {
    expect(difference(expected[name]!, actual[name]!)).toBeLessThan(tolerance);
  }
  return pruned;
}
