import type { Site } from '../../calibrate/sites.js';
import type { RewriteTarget } from '../method.js';
import type { StoredFactor } from './factor.js';
import { replaceNode } from './linear.js';

/** A kernel as kh × 1 followed by 1 × kw, with `rank` channels between them. */
export interface SpatialPair {
  readonly rank: number;
  /** (rank, in · kh) */
  readonly vertical: StoredFactor;
  /** (rank, out · kw) */
  readonly horizontal: StoredFactor;
}

/** Whether every use of a site is an ordinary 2-D convolution whose kernel is higher and wider than 1. */
export function isSpatial({ kind, mixed, nested, tensor, uses }: Site): boolean {
  const [, , kh, kw] = tensor.dims;
  if (kind !== 'conv' || mixed || nested || tensor.dims.length !== 4 || kh! < 2 || kw! < 2) return false;
  return uses.every(({ node, index }) => index === 1 && node.int('group', 1) === 1);
}

/** Writes a convolution as two, each with the strides, dilations and padding of its own axis. */
export function applySpatial(target: RewriteTarget, site: Site, pair: SpatialPair): void {
  const { graph } = target;
  const { dtype, dims } = site.tensor;
  const [out, width, kh, kw] = dims as [number, number, number, number];
  const { rank } = pair;
  const first = pair.vertical.write(target, [rank, width, kh, 1], { perm: [0, 1, 2, 3], split: 1 }, dtype);
  const second = pair.horizontal.write(target, [out, rank, 1, kw], { perm: [1, 0, 2, 3], split: 1 }, dtype);
  for (const { node } of target.uses) {
    const [sy, sx] = node.ints('strides', [1, 1]) as [number, number];
    const [dy, dx] = node.ints('dilations', [1, 1]) as [number, number];
    const [top, left, bottom, right] = node.ints('pads', [0, 0, 0, 0]) as [number, number, number, number];
    const auto = node.string('auto_pad');
    const automatic = auto === undefined || auto === 'NOTSET' ? undefined : auto;
    const padding = (pads: number[]) => (automatic === undefined ? { pads } : { auto_pad: automatic });
    const hidden = graph.op('Conv', [node.inputs[0]!, first], {
      kernel_shape: [kh, 1],
      strides: [sy, 1],
      dilations: [dy, 1],
      ...padding([top, 0, bottom, 0]),
    });
    const output = graph.op('Conv', [hidden, second, ...node.inputs.slice(2)], {
      kernel_shape: [1, kw],
      strides: [1, sx],
      dilations: [1, dx],
      ...padding([0, left, 0, right]),
    });
    replaceNode(graph, node, output);
  }
}
