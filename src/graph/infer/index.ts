export {
  analyzeShapes,
  type InferOptions,
  inferShapes,
  type ShapeAnalysis,
  type ShapeProblem,
} from './inferShapes.js';
export { learnShapes, type ObservedShapes } from './learn.js';
