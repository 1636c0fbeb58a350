import type { ChannelGroup } from './groups.js';
import type { RemovalCurve } from './importance/curve.js';
import type { GroupImportance, GroupReport } from './report.js';

interface Studied {
  /** How many channels went. */
  readonly removed?: number;
  readonly curve?: RemovalCurve | undefined;
  /** What the errors of the curve are. */
  readonly of?: GroupImportance['of'];
}

/** A group as a row of a report. */
export const describeGroup = (
  group: ChannelGroup,
  { removed = 0, curve, of = 'weights' }: Studied = {},
): GroupReport => ({
  name: group.name,
  channels: group.size,
  left: group.size - removed,
  constants: group.slices[0]!.map(({ constant, axis, indices }) => ({
    name: constant.name,
    axis,
    indices: indices.length,
  })),
  ...(curve && { importance: { of, gone: [...curve.steps], lost: [...curve.errors] } }),
  ...(group.approximate !== undefined && { approximate: group.approximate }),
});
