export {
  analyzeShapes,
  type InferOptions,
  inferShapes,
  type ShapeAnalysis,
  type ShapeProblem,
} from './inferShapes.js';
