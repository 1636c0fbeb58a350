export { type InspectOptions, inspect } from './inspect.js';
export type { InspectReport, Signature, WeightReport } from './report.js';
export { ENERGY_SHARES, measureSpectrum, type SpectrumMeasures } from './spectrum.js';
