import type { Node } from '../../../graph/node.js';

/** A two-dimensional window with all of its attributes spelled out. */
export interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number];
}

/** The window of a convolution or pool, where its attributes say it: not with `auto_pad` SAME. */
export function windowOf(node: Node, kernel: readonly number[]): Window | undefined {
  if (kernel.length !== 2 || node.string('auto_pad', 'NOTSET').startsWith('SAME')) return undefined;
  const list = (name: string, length: number, fallback: number): number[] => {
    const given = node.ints(name, []);
    return given.length > 0 ? given : new Array<number>(length).fill(fallback);
  };
  const pads = list('pads', 4, 0);
  if (pads.some(p => p < 0)) return undefined;
  return {
    kernel: kernel as [number, number],
    strides: list('strides', 2, 1) as [number, number],
    dilations: list('dilations', 2, 1) as [number, number],
    pads: pads as [number, number, number, number],
  };
}
