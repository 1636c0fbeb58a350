import type { Node } from '../../../graph/node.js';
import type { Layout } from '../layout.js';

/**
 * Rewrites one node into blocked order, where it matches; nodes come in topological order. A rule that does not match
 * returns false and has done nothing.
 */
export type Rule = (node: Node, layout: Layout) => boolean;
