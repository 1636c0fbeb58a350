import { type Change, replaceNode } from './change.js';

const GRID_SAMPLE_MODES: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

/** Other names, or another default, for what stayed the same. */
export const renamed: Change[] = [
  {
    op: 'Scatter',
    version: 11,
    apply: node => {
      replaceNode(node, 'ScatterElements', node.inputs, Object.fromEntries(node.attributes));
    },
  },
  {
    op: 'GridSample',
    version: 20,
    reads: ['mode'],
    apply: node => {
      const mode = node.string('mode', 'bilinear');
      node.setAttribute('mode', GRID_SAMPLE_MODES[mode] ?? mode);
    },
  },
  {
    op: 'RoiAlign',
    version: 16,
    apply: node => node.setAttribute('coordinate_transformation_mode', 'output_half_pixel'),
  },
];
