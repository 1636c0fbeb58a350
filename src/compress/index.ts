export { type CompressResult, compress } from './compress.js';
export type { Candidate, Method, RewriteTarget } from './method.js';
export type { MethodName } from './methods/index.js';
export type { CompressOptions } from './options.js';
export type { CompressReport, LayerReport, OutputAgreement, Progress, ScoreRow } from './report.js';
export { findSites, type Site, type SiteKind } from './sites.js';
