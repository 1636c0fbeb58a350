import type { Builder, Value } from '../../../src/graph/index.js';
import type { Random } from '../random.js';
import { count, type Draw, type Draws, few, half, integers, shuffled, sizes, subset } from './draw.js';

const slice: Draw = random => {
  const dims = sizes(random, random.integer(1, 3)).map(size => size + 2);
  const axes = subset(random, dims.length);
  const of = (low: number, high: number): number[] => axes.map(() => random.integer(low, high));
  const [starts, ends] = [of(-6, 6), of(-6, 6)];
  const steps = axes.map(() => random.pick([-3, -2, -1, 1, 1, 2, 3]));
  return {
    variables: [{ dims, symbolic: random.uniform() < 0.5 }],
    build: (b, [x]) => (axes.length === 0 ? b.op('Identity', [x!]) : b.slice(x!, starts, ends, axes, steps)),
    truth: 'float64',
  };
};

const pad: Draw = random => {
  const mode = random.pick(['constant', 'reflect', 'edge', 'wrap']);
  const dims = sizes(random, random.integer(1, 3)).map(size =>
    mode === 'constant' ? size : Math.max(1, size) + 2,
  );
  // Constant pads crop too, where there is something left.
  const low = (axis: number): number => (mode === 'constant' && dims[axis]! > 2 ? -1 : 0);
  const pads = Array.from({ length: 2 * dims.length }, (_, i) => random.integer(low(i % dims.length), 2));
  return {
    variables: [{ dims, symbolic: random.uniform() < 0.5 }],
    build: (b, [x]) => b.op('Pad', [x!, b.ints(pads)], { mode }),
    truth: 'float64',
  };
};

/** A shape with an axis that has something to pick from. */
function withAxis(random: Random, rank = random.integer(1, 3)): { dims: number[]; axis: number } {
  const axis = random.integer(0, rank - 1);
  return { dims: sizes(random, rank).map((size, i) => (i === axis ? Math.max(1, size) : size)), axis };
}

const gather: Draw = random => {
  const { dims, axis } = withAxis(random);
  const shape = sizes(random, random.integer(0, 2));
  const picks = Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () =>
    random.integer(-dims[axis]!, dims[axis]! - 1),
  );
  return {
    variables: [{ dims, symbolic: random.uniform() < 0.5 }],
    build: (b, [x]) => b.op('Gather', [x!, b.reshape(b.ints(picks), shape)], { axis }),
    truth: 'float64',
  };
};

const concat: Draw = random => {
  const dims = sizes(random, random.integer(1, 3));
  const axis = random.integer(0, dims.length - 1);
  const symbolic = random.uniform() < 0.5;
  return {
    variables: Array.from({ length: random.integer(1, 3) }, () => ({
      dims: dims.map((size, i) => (i === axis ? random.integer(0, 3) : size)),
      symbolic,
    })),
    build: (b, xs) => b.op('Concat', xs, { axis }),
    truth: 'float64',
  };
};

const transpose: Draw = random => {
  const dims = sizes(random, random.integer(1, 4));
  const perm = shuffled(random, dims.length);
  return { variables: [{ dims }], build: (b, xs) => b.op('Transpose', xs, { perm }), truth: 'float64' };
};

const tile: Draw = random => {
  const dims = sizes(random, random.integer(1, 3));
  const repeats = dims.map(() => random.integer(1, 3));
  return {
    variables: [{ dims, symbolic: random.uniform() < 0.5 }],
    build: (b, [x]) => b.op('Tile', [x!, b.ints(repeats)]),
    truth: 'float64',
  };
};

/** An operator of one tensor that only moves its elements. */
const moved =
  (
    shape: (random: Random) => number[],
    build: (b: Builder, x: Value, dims: readonly number[], random: Random) => Value | Value[],
  ): Draw =>
  random => {
    const dims = shape(random);
    return {
      variables: [{ dims, symbolic: half(random) }],
      build: (b, [x]) => build(b, x!, dims, random),
      truth: 'float64',
    };
  };

const any =
  (low: number, high: number) =>
  (random: Random): number[] =>
    sizes(random, random.integer(low, high));

/** Something along the first axis. */
const leading =
  (low: number, high: number) =>
  (random: Random): number[] => [random.integer(1, 3), ...sizes(random, random.integer(low, high) - 1)];

/** Indices of a shape, each for an axis of that size, negative ones too. */
const indices = (b: Builder, random: Random, shape: readonly number[], size: number): Value =>
  b.reshape(b.ints(integers(random, count(shape), -size, size - 1)), [...shape]);

/** Writes of updates into places that all differ. */
const scatter =
  (op: 'ScatterElements' | 'ScatterND'): Draw =>
  random => {
    const rows = random.integer(1, 4);
    const width = few(random, 3);
    const places = shuffled(random, rows).slice(0, random.integer(0, rows));
    const reduction = random.pick(['none', 'add']);
    return {
      variables: [{ dims: [rows, width], symbolic: half(random) }, { dims: [places.length, width] }],
      build: (b, [x, updates]) => {
        if (op === 'ScatterND') {
          return b.op(op, [x!, b.reshape(b.ints(places), [places.length, 1]), updates!], { reduction });
        }
        const each = b.reshape(b.ints(places.flatMap(p => Array<number>(width).fill(p))), [
          places.length,
          width,
        ]);
        return b.op(op, [x!, each, updates!], { axis: 0, reduction });
      },
      truth: 'float64',
    };
  };

const oneHot: Draw = random => {
  const [depth, rows] = [random.integer(1, 4), random.integer(0, 3)];
  return {
    variables: [{ dims: [2] }],
    build: (b, [values]) =>
      b.op('OneHot', [b.ints(integers(random, rows, 0, depth - 1)), b.scalar(depth, 'int64'), values!]),
    truth: 'multilinear',
  };
};

const range: Draw = random => {
  const length = random.integer(1, 5);
  return {
    variables: [
      { dims: [], values: [random.integer(0, 3) + 0.25] },
      { dims: [], values: [0.5] },
    ],
    build: (b, [start, delta]) => b.op('Range', [start!, b.add(start!, b.mul(delta!, length - 0.5)), delta!]),
    truth: 'float64',
  };
};

const split: Draw = random => {
  const dims = sizes(random, random.integer(1, 3));
  const axis = random.integer(0, dims.length - 1);
  const parts = integers(random, 3, 0, 2);
  const whole = dims.map((size, i) => (i === axis ? parts.reduce((a, p) => a + p, 0) : size));
  return {
    variables: [{ dims: whole, symbolic: half(random) }],
    build: (b, [x]) => {
      const outputs = b.node('Split', [x!, b.ints(parts)], { axis }, 3).outputs.map(o => o!);
      return half(random) ? outputs : outputs[1]!;
    },
    truth: 'float64',
  };
};

const compress: Draw = random => {
  const dims = sizes(random, random.integer(1, 3));
  const axis = half(random) ? random.integer(-dims.length, dims.length - 1) : undefined;
  const length = axis === undefined ? count(dims) : dims.at(axis)!;
  const condition = integers(random, random.integer(0, length), 0, 1);
  return {
    variables: [{ dims, symbolic: half(random) }],
    build: (b, [x]) =>
      b.op('Compress', [x!, b.cast(b.ints(condition), 'bool')], { ...(axis !== undefined && { axis }) }),
    truth: 'float64',
  };
};

const blocks = (random: Random): number[] => [random.integer(0, 2), 4 * random.integer(1, 2), 2, 4];

export const MOVING: Draws = {
  Slice: slice,
  Pad: pad,
  Gather: gather,
  Concat: concat,
  Split: split,
  Transpose: transpose,
  Tile: tile,
  ScatterElements: scatter('ScatterElements'),
  ScatterND: scatter('ScatterND'),
  OneHot: oneHot,
  Range: range,
  Compress: compress,
  Identity: moved(any(0, 3), (b, x) => b.op('Identity', [x])),
  Reshape: moved(any(1, 3), (b, x, dims) => b.reshape(x, [...dims].reverse())),
  Flatten: moved(any(1, 3), (b, x, dims, random) =>
    b.op('Flatten', [x], { axis: random.integer(-dims.length, dims.length) }),
  ),
  Squeeze: moved(
    random => [1, ...any(1, 2)(random), 1],
    (b, x, dims, random) => b.squeeze(x, random.pick([[0], [-1], [0, dims.length - 1]])),
  ),
  Unsqueeze: moved(any(0, 3), (b, x, dims, random) => b.unsqueeze(x, [random.integer(0, dims.length), -1])),
  Expand: moved(any(1, 3), (b, x, dims, random) =>
    b.op('Expand', [
      x,
      b.ints([random.integer(1, 2), ...dims.map(size => (size === 1 ? random.integer(1, 3) : size))]),
    ]),
  ),
  DepthToSpace: moved(blocks, (b, x, _, random) =>
    b.op('DepthToSpace', [x], { blocksize: 2, mode: random.pick(['DCR', 'CRD']) }),
  ),
  SpaceToDepth: moved(blocks, (b, x) => b.op('SpaceToDepth', [x], { blocksize: 2 })),
  Trilu: moved(any(2, 3), (b, x, _, random) =>
    b.op('Trilu', [x, b.scalar(random.integer(-2, 2), 'int64')], { upper: random.integer(0, 1) }),
  ),
  'com.microsoft.Trilu': moved(any(2, 3), (b, x, _, random) =>
    b.op(
      'Trilu',
      [x, b.scalar(random.integer(-2, 2), 'int64')],
      { upper: random.integer(0, 1) },
      'com.microsoft',
    ),
  ),
  GatherElements: moved(any(1, 3), (b, x, dims, random) => {
    const axis = random.pick(dims.flatMap((size, i) => (size > 0 || dims.includes(0) ? [i] : [])));
    return b.op('GatherElements', [x, indices(b, random, dims, dims[axis]!)], { axis });
  }),
  GatherND: moved(leading(1, 3), (b, x, dims, random) =>
    b.op('GatherND', [x, indices(b, random, [random.integer(1, 3), 1], dims[0]!)]),
  ),
  ReverseSequence: moved(leading(2, 3), (b, x, dims, random) =>
    b.op('ReverseSequence', [x, b.ints(integers(random, dims[1]!, 1, dims[0]!))]),
  ),
  CenterCropPad: moved(any(1, 3), (b, x, dims, random) => {
    const axes = subset(random, dims.length);
    return axes.length === 0
      ? b.op('CenterCropPad', [x, b.ints(integers(random, dims.length, 1, 5))])
      : b.op('CenterCropPad', [x, b.ints(integers(random, axes.length, 1, 5))], { axes });
  }),
};
