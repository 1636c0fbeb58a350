import { cloneModel } from '../graph/clone.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { findBlocks } from '../prune/blocks.js';
import { describeGroup } from '../prune/describe.js';
import { type ChannelGroup, findGroups } from '../prune/groups.js';
import { magnitudeCurve } from '../prune/importance/magnitude.js';
import type { DimensionReport } from './report.js';

/** Which dimensions of a model can be made smaller, and why the others cannot. */
export function describeDimensions(model: Model): DimensionReport {
  const copy = cloneModel(model);
  inferShapes(copy);
  const { groups, refused } = findGroups(copy);
  return {
    groups: groups.map(group => describeGroup(group, { curve: magnitudeCurve(group, channelsOf(group)) })),
    refused: refused.map(({ constant, axis, size, reason }) => ({
      constant: constant.name,
      axis,
      size,
      reason,
    })),
    blocks: findBlocks(copy).map(({ name }) => name),
  };
}

/** More points than these do not show. */
const POINTS = 48;

/** How many channels may be gone: every number, or evenly spread ones. */
function channelsOf({ size }: ChannelGroup): number[] {
  const count = Math.min(size, POINTS);
  return Array.from({ length: count }, (_, i) => Math.round(((i + 1) * size) / count));
}
