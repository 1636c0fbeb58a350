import { typedBuilder } from '../../graph/autodiff/index.js';
import type { Model } from '../../graph/model.js';
import { mergeConstants, mergeNodes, removeDead } from '../../graph/rewrite/index.js';
import { fuse } from './fuse.js';
import { Layout } from './layout.js';
import { BLOCKED_DOMAIN } from './operators.js';
import { RULES } from './rules/index.js';

export interface LayoutOptions {
  /** Channels of one block, from `probeBlockedLayout`. */
  readonly block: number;
}

/**
 * Rewrites a model with images, in place, to compute in ONNX Runtime's blocked order. Inputs and outputs stay as they
 * are. Meant for training steps: ONNX Runtime does the same by itself where filters are constants, so that a graph
 * without other filters stays as it is. The result runs on the CPU provider of this machine alone: do not write it to
 * files.
 * @returns how many nodes were rewritten
 */
export function blockedLayout(model: Model, { block }: LayoutOptions): number {
  const { graph } = model;
  const convolutions = [...graph.nodes].filter(node => node.opType === 'Conv' && node.domain === '');
  if (convolutions.every(node => node.inputs[1]?.initializer)) return 0;
  graph.sort();
  const builder = typedBuilder(model);
  builder.scope = 'layout/';
  const layout = new Layout(builder, block);
  let count = 0;
  for (const node of [...graph.nodes]) {
    if (node.domain === '' && RULES.get(node.opType)?.(node, layout)) count++;
  }
  layout.settle();
  removeDead(graph);
  mergeConstants(graph);
  mergeNodes(graph);
  fuse(builder);
  removeDead(graph);
  model.opsets.set(BLOCKED_DOMAIN, 1);
  return count;
}
