export { type CompareOptions, type Contender, compareModels } from './compare.js';
export { measureDrift } from './drift.js';
export type { ComparedModel, CompareReport, DriftReport, LayerDrift } from './report.js';
