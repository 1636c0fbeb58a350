export { foldAffine } from './affine.js';
export { liftConstants, lowerConstants } from './constants.js';
export { removeDead } from './dead.js';
export { type Evaluate, type FoldOptions, foldConstants } from './fold.js';
export { fuseHardSigmoid } from './hard-swish.js';
export { functionOf, inlineCall, inlineFunctions } from './inline.js';
export { mergeConstants, mergeNodes } from './merge.js';
export { allValues, renameValue, renameValues } from './rename.js';
export { insertAfter, insertOnEdge, replaceNode } from './replace.js';
