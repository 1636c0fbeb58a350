export { findSites, type Site, type SiteKind } from '../calibrate/sites.js';
export type { Budget, BudgetOutcome } from './budget.js';
export { type CompressResult, compress } from './compress.js';
export { type LaserOptions, type LaserSearch, type RankReduction, searchRankReductions } from './laser.js';
export type { Candidate, Goal, Method, RewriteTarget } from './method.js';
export type { MethodName } from './methods/index.js';
export type { CompressOptions } from './options.js';
export { type MeasuredFront, paretoFront, type WritablePoint } from './pareto.js';
export type {
  CompressReport,
  LayerReport,
  OutputAgreement,
  ParetoPoint,
  ParetoReport,
  Progress,
  ScoreRow,
} from './report.js';
export { asRunner, compareScores } from './scores.js';
export { findTwins, type Sharing, type SharingOptions, shareWeights, type Twin } from './sharing.js';
