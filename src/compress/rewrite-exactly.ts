import type { Model } from '../graph/model.js';
import { foldAffine, fuseHardSigmoid, mergeConstants, removeDead } from '../graph/rewrite/index.js';

/**
 * Rewrites that change nothing but rounding, and let ONNX Runtime fuse more: fewer bytes and passes before any weight is
 * touched.
 */
export function rewriteExactly(model: Model): void {
  fuseHardSigmoid(model.graph);
  foldAffine(model.graph);
  mergeConstants(model.graph);
  removeDead(model.graph);
}
