import { Graph } from '../../graph.js';
import type { Node } from '../../node.js';
import type { Value } from '../../value.js';
import type { Along } from './geometry.js';

/** A convolution of images with constant filters, all channels read by all. */
export interface Convolution {
  readonly node: Node;
  readonly x: Value;
  readonly weight: Value;
  readonly bias: Value | undefined;
  /** (outputs, inputs, height, width) of the filters. */
  readonly dims: readonly [number, number, number, number];
  readonly along: Along;
  /** Stride, dilation and padding along the height. */
  readonly height: {
    readonly stride: number;
    readonly dilation: number;
    readonly pads: readonly [number, number];
  };
}

/** Reads a convolution whose widths are known. */
export function readConvolution(node: Node): Convolution | undefined {
  if (node.opType !== 'Conv' || node.domain !== '' || node.int('group', 1) !== 1) return undefined;
  if (node.string('auto_pad', 'NOTSET') !== 'NOTSET') return undefined;
  const [x, weight, bias] = node.inputs;
  const filters = Graph.constantOf(weight);
  const widthIn = x && widthOf(x);
  const widthOut = widthOf(node.output);
  if (filters?.dtype !== 'float32' || filters.dims.length !== 4) return undefined;
  if (!x || !weight || (bias && !Graph.constantOf(bias)) || !widthIn || !widthOut) return undefined;
  const [strideY, stride] = node.ints('strides', [1, 1]) as [number, number];
  const [dilationY, dilation] = node.ints('dilations', [1, 1]) as [number, number];
  const [top, pad, bottom] = node.ints('pads', [0, 0, 0, 0]) as [number, number, number];
  const dims = filters.dims as unknown as Convolution['dims'];
  return {
    node,
    x,
    weight,
    bias: bias ?? undefined,
    dims,
    along: { kernel: dims[3], stride, dilation, pad, widthIn, widthOut },
    height: { stride: strideY, dilation: dilationY, pads: [top, bottom] },
  };
}

/** The width of a batch of float images, where it is known. */
export const widthOf = ({ dtype, shape }: Value): number | undefined =>
  dtype === 'float32' && shape?.length === 4 && typeof shape[3] === 'number' ? shape[3] : undefined;
