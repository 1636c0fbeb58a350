export { type GradientOptions, gradients } from './gradients.js';
export { customGradient, removeStraightThrough, stopGradient, straightThrough } from './markers.js';
export type { CustomGradients } from './rules.js';
export { type TypedBuilderOptions, typedBuilder } from './typing.js';
