export type { Claim, ClaimOutcome, JudgedClaim } from './claims.js';
export * from './define.js';
export { type MeasureOptions, measureModel } from './measure-model.js';
export type * from './record.js';
export { factorForSize } from './sized.js';
export * from './statistics/compare.js';
export { twoSidedP } from './statistics/student-t.js';
export type * from './summary.js';
