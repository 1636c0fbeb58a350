import type { Graph } from '../../graph/graph.js';
import type { Node } from '../../graph/node.js';
import { imageDims } from './layout.js';

/**
 * How many times as many products the convolutions of a step take once their channels fill blocks: zeros cost as much as
 * other numbers. 1 where there are no convolutions.
 */
export function filling(graph: Graph, block: number): number {
  const filled = (channels: number): number => Math.ceil(channels / block) * block;
  let [plain, blocked] = [0, 0];
  for (const node of graph.nodes) {
    const sizes = trained(node);
    if (!sizes) continue;
    const { places, filter, fromOutside } = sizes;
    const [m, c, h, w] = filter;
    const group = node.int('group', 1);
    plain += places * m * c * h * w;
    // Images from outside are read as they are.
    blocked += places * filled(m) * (group > 1 || fromOutside ? c : filled(c)) * h * w;
  }
  return plain === 0 ? 1 : blocked / plain;
}

/** Sizes of a convolution whose filter is no constant. */
function trained(node: Node) {
  const [x, w] = node.inputs;
  const [images, filter] = [imageDims(node.outputs[0]), imageDims(w)];
  if (node.opType !== 'Conv' || node.domain !== '' || !x || !images || !filter || w?.initializer) return;
  return { places: images[0] * images[2] * images[3], filter, fromOutside: !x.producer };
}
