export { describeFactorization } from './describe.js';
export * from './factorize.js';
export { type DenseLayer, type FactorInit, type LowRankOptions, makeLowRank } from './low-rank.js';
export type { RankRule } from './ranks.js';
export { type LayerSelector, selectLayers } from './select.js';
export { spectralFactors } from './spectral.js';
