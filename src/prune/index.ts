export { findBlocks, type ResidualBlock, removeBlocks } from './blocks.js';
export { type ChannelGroup, findGroups, type Groups, type RefusedAxis, type Slice } from './groups.js';
export { maskChannels } from './mask.js';
export type { PruneOptions } from './options.js';
export { type PruneResult, prune } from './prune.js';
export { removeChannels, type Selection } from './remove.js';
export type { GroupReport, PruneReport } from './report.js';
