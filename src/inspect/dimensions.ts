import { cloneModel } from '../graph/clone.js';
import { inferShapes } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import { findBlocks } from '../prune/blocks.js';
import { describeGroup } from '../prune/describe.js';
import { findGroups } from '../prune/groups.js';
import type { DimensionReport } from './report.js';

/** Which dimensions of a model can be made smaller, and why the others cannot. */
export function describeDimensions(model: Model): DimensionReport {
  const copy = cloneModel(model);
  inferShapes(copy);
  const { groups, refused } = findGroups(copy);
  return {
    groups: groups.map(group => describeGroup(group)),
    refused: refused.map(({ constant, axis, size, reason }) => ({
      constant: constant.name,
      axis,
      size,
      reason,
    })),
    blocks: findBlocks(copy).map(({ name }) => name),
  };
}
