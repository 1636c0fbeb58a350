export {
  analyzeShapes,
  type InferOptions,
  inferShapes,
  type ShapeAnalysis,
  type ShapeProblem,
} from './infer-shapes.js';
export { learnShapes, type ObservedShapes } from './learn.js';
