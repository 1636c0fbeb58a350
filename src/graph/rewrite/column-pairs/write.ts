import type { Graph } from '../../graph.js';
import { Tensor } from '../../tensor.js';
import type { Value } from '../../value.js';
import type { Convolution } from './convolution.js';
import { lanesOf, type PairedAlong, type Pairing, pairAlong } from './geometry.js';
import { LAYOUT_AXES } from './paired.js';

/** Writes convolutions between images whose columns lie in pairs. */
export class PairWriter {
  private readonly graph: Graph;
  /** Constants and masks by what they hold: layers of one form share them. */
  private readonly shared = new Map<string, Value>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** @param x the input, laid out as `from` says */
  convolution(conv: Convolution, x: Value, from: Pairing, to: Pairing): Value {
    const { graph } = this;
    const { node, dims, height, bias } = conv;
    const along = pairAlong(conv.along, from, to)!;
    const inputs = [x, this.filters(conv, along, from, to)];
    if (bias) inputs.push(to === undefined ? bias : graph.op('Concat', [bias, bias], { axis: 0 }));
    const [top, bottom] = height.pads;
    const y = graph.op(
      'Conv',
      inputs,
      {
        kernel_shape: [dims[2], along.kernel],
        strides: [height.stride, along.stride],
        dilations: [height.dilation, 1],
        pads: [top, along.pads[0], bottom, along.pads[1]],
      },
      { name: node.name },
    );
    return to === 1 ? graph.op('Add', [y, this.mask(conv, x)]) : y;
  }

  /**
   * The filters for pairs, computed from the old ones when the model is loaded: most of them are zeros, which need not be
   * stored. (outputs, inputs, height, taps) times a table of which tap goes where, then the axes in their order.
   */
  private filters(
    { weight, dims, along }: Convolution,
    paired: PairedAlong,
    from: Pairing,
    to: Pairing,
  ): Value {
    const [outputs, inputs, height] = dims;
    const [lanesIn, lanesOut] = [lanesOf(from), lanesOf(to)];
    const columns = lanesOut * paired.kernel * lanesIn;
    const table = new Float32Array(along.kernel * columns);
    for (const [out, taps] of paired.taps.entries()) {
      for (const [tap, { block, lane }] of taps.entries()) {
        table[tap * columns + (out * paired.kernel + block) * lanesIn + lane] = 1;
      }
    }
    const { graph } = this;
    const placed = graph.op('MatMul', [
      weight,
      this.constant(Tensor.float32([along.kernel, columns], table), 'taps'),
    ]);
    const apart = graph.op('Reshape', [
      placed,
      this.constant(Tensor.int64([outputs, inputs, height, lanesOut, paired.kernel, lanesIn]), 'axes'),
    ]);
    return graph.op('Reshape', [
      graph.op('Transpose', [apart], { perm: LAYOUT_AXES }),
      this.constant(Tensor.int64([lanesOut * outputs, lanesIn * inputs, height, paired.kernel]), 'shape'),
    ]);
  }

  /**
   * Zero on the image and far below zero on the columns before and behind it: added before a Relu it makes these the zeros
   * that the next convolution's padding would be. A convolution finds them by the zeros around an image of ones.
   * @param x of the convolution, as large as its result; pairs begin at even columns
   */
  private mask({ dims: [channels], x: { shape } }: Convolution, x: Value): Value {
    const known = shape!.every(dim => dim !== null);
    return this.share(`mask ${channels} ${known ? JSON.stringify(shape) : x.name}`, () => {
      const { graph } = this;
      const lanes = 2 * channels;
      const ones = graph.op('Conv', [
        x,
        this.filled([lanes, 2 * (shape![1] as number), 1, 1], 0),
        this.filled([lanes], 1),
      ]);
      const table = Float32Array.from({ length: 2 * lanes }, (_, i) =>
        (i >> 1 < channels ? 0 : 1) === i % 2 ? FAR : 0,
      );
      const edges = this.constant(Tensor.float32([lanes, 1, 1, 2], table), 'edges');
      return graph.op('Conv', [ones, edges, this.filled([lanes], -FAR)], {
        kernel_shape: [1, 2],
        pads: [0, 1, 0, 1],
        group: lanes,
      });
    });
  }

  private filled(dims: readonly number[], value: number): Value {
    return this.share(`filled ${value} ${dims.join()}`, () =>
      this.graph.op('ConstantOfShape', [this.constant(Tensor.int64(dims), 'shape')], {
        value: Tensor.float32([1], [value]),
      }),
    );
  }

  private constant(tensor: Tensor, name: string): Value {
    return this.share(`${name} ${tensor.dims.join()} ${tensor.toNumbers().join()}`, () =>
      this.graph.constant(tensor, name),
    );
  }

  private share(key: string, make: () => Value): Value {
    const known = this.shared.get(key);
    if (known) return known;
    const value = make();
    this.shared.set(key, value);
    return value;
  }
}

/** Beyond any activation; and 1 · FAR − FAR is zero to the last digit. */
const FAR = 2 ** 100;
