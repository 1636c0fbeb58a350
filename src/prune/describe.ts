import type { ChannelGroup } from './groups.js';
import type { GroupReport } from './report.js';

/** A group as a row of a report. */
export const describeGroup = (group: ChannelGroup, removed = 0): GroupReport => ({
  name: group.name,
  channels: group.size,
  left: group.size - removed,
  constants: group.slices[0]!.map(({ constant, axis, indices }) => ({
    name: constant.name,
    axis,
    indices: indices.length,
  })),
  ...(group.approximate !== undefined && { approximate: group.approximate }),
});
