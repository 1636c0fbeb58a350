import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Graph, Model, type Shape, Tensor, tensorType, type Value } from '../../../src/graph/index.js';
import { inferShapes } from '../../../src/graph/infer/index.js';
import { pairAlong } from '../../../src/graph/rewrite/column-pairs/geometry.js';
import { pairColumns, pairedConvolution } from '../../../src/graph/rewrite/index.js';
import { Random } from '../../../src/random/random.js';
import { evaluate } from '../../../src/runtime/index.js';

const random = new Random(5);
const some = (dims: readonly number[]) =>
  Tensor.float32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.uniform(-1, 1)),
  );

interface Form {
  readonly kernel?: readonly [number, number];
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly pads?: readonly [number, number, number, number];
  readonly bias?: boolean;
}

function conv(g: Graph, x: Value, [inputs, outputs]: [number, number], form: Form = {}): Value {
  const { kernel = [3, 3], strides = [1, 1], dilations = [1, 1], pads = [1, 1, 1, 1], bias = true } = form;
  const operands = [x, g.constant(some([outputs, inputs, ...kernel]), 'weight')];
  if (bias) operands.push(g.constant(some([outputs]), 'bias'));
  return g.op('Conv', operands, { kernel_shape: kernel, strides, dilations, pads });
}

function keepsSize({ kernel, ...form }: Form & Required<Pick<Form, 'kernel'>>): Form {
  const odd = kernel.map(size => size | 1) as [number, number];
  const [y, x] = odd.map(size => (size - 1) / 2) as [number, number];
  return { ...form, kernel: odd, strides: [1, 1], dilations: [1, 1], pads: [y, x, y, x] };
}

function modelOf(build: (g: Graph, x: Value) => Value, shape: Shape = ['batch', 3, 6, 8], opset = 17): Model {
  const graph = new Graph('test');
  const y = build(graph, graph.addInput('x', tensorType('float32', shape)));
  graph.addOutput(y, 'y');
  const model = new Model(graph);
  model.opsets.set('', opset);
  model.irVersion = 8;
  inferShapes(model);
  return model;
}

/** Rewrites a model and holds it against itself on two images; how many convolutions work on pairs. */
async function pairAndCompare(model: Model): Promise<number> {
  const { shape } = model.graph.inputs[0]!;
  const x = some([2, ...(shape!.slice(1) as number[])]);
  const { y: before } = await evaluate(model, { x });
  const paired = pairColumns(model);
  inferShapes(model);
  const { y: after } = await evaluate(model, { x });
  expect(after!.dims).toEqual(before!.dims);
  const [expected, found] = [before!.toFloat32(), after!.toFloat32()];
  const size = Math.max(...expected.map(Math.abs));
  expect(Math.max(...expected.map((v, i) => Math.abs(v - found[i]!)))).toBeLessThan(1e-5 * size);
  return paired;
}

const expectSame = async (model: Model, paired: number) => expect(await pairAndCompare(model)).toBe(paired);

const kernels = ({ graph }: Model) =>
  [...graph.nodes]
    .filter(({ opType, inputs }) => opType === 'Conv' && inputs.length > 2)
    .map(node => node.ints('kernel_shape', [1, 1]));

/** Two convolutions with their shortcut, 4 channels. */
function block(g: Graph, x: Value): Value {
  const inner = g.op('Relu', [conv(g, x, [4, 4])]);
  return g.op('Relu', [g.op('Add', [conv(g, inner, [4, 4]), x])]);
}

const halved = (g: Graph, x: Value, inputs = 4) => conv(g, x, [inputs, 10], { strides: [2, 2] });

describe('pairColumns', () => {
  it('shifts the pairs by a column inside a residual block, so that two pairs suffice', async () => {
    const model = modelOf((g, x) => {
      const first = g.op('Relu', [conv(g, x, [3, 4])]);
      return halved(g, block(g, block(g, first)));
    });
    await expectSame(model, 4);
    const reads = kernels(model).filter(([height]) => height === 3);
    expect(reads).toEqual([[3, 4], ...Array.from({ length: 5 }, () => [3, 2])]);
    // Both blocks add the same mask.
    expect([...model.graph.nodes].filter(node => node.int('group', 1) > 1)).toHaveLength(1);
  });

  it('keeps pairs at even columns where no Relu can clear what lies beyond the image', async () => {
    const model = modelOf((g, x) => {
      const first = g.op('Sigmoid', [conv(g, x, [3, 4])]);
      return halved(g, g.op('Sigmoid', [conv(g, first, [4, 4])]));
    });
    await expectSame(model, 1);
    expect(kernels(model)).toEqual([
      [3, 4],
      [3, 3],
      [3, 2],
    ]);
  });

  it('leaves values alone that something else reads', async () => {
    const read = (reader: (g: Graph, x: Value) => Value) =>
      modelOf((g, x) => reader(g, conv(g, conv(g, x, [3, 4]), [4, 4])));
    // The second convolution gives what cannot be paired, and reads what cannot be halved into single columns.
    await expectSame(
      read((g, x) => g.op('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] })),
      0,
    );
    await expectSame(
      read((_, x) => x),
      0,
    );
  });

  it('changes nothing about odd widths, many channels, groups and old operator sets', async () => {
    const chain = (g: Graph, x: Value, channels: number) =>
      halved(g, conv(g, conv(g, x, [3, channels]), [channels, channels]), channels);
    await expectSame(
      modelOf((g, x) => chain(g, x, 8)),
      1,
    );
    await expectSame(
      modelOf((g, x) => chain(g, x, 9)),
      0,
    );
    await expectSame(
      modelOf((g, x) => chain(g, x, 4), ['batch', 3, 6, 7]),
      0,
    );
    await expectSame(
      modelOf((g, x) => chain(g, x, 4), ['batch', 3, 6, 8], 10),
      0,
    );
    const grouped = modelOf((g, x) => {
      const y = g.op('Conv', [conv(g, x, [3, 4]), g.constant(some([4, 1, 3, 3]))], {
        group: 4,
        pads: [1, 1, 1, 1],
      });
      return halved(g, y);
    });
    await expectSame(grouped, 0);
  });

  it('leaves sums alone that repeat an image', () =>
    expectSame(
      modelOf((g, x) => {
        const y = g.op('Add', [conv(g, x, [3, 4]), g.constant(some([1, 4, 1, 1]))]);
        return halved(g, conv(g, y, [4, 4]));
      }),
      0,
    ));

  it('computes the same for convolutions of any form', async () => {
    const form = fc.record({
      kernel: fc.tuple(fc.constantFrom(1, 3), fc.constantFrom(1, 2, 3, 4, 5)),
      strides: fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 2)),
      dilations: fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 2)),
      pads: fc.tuple(fc.nat(2), fc.nat(3), fc.nat(2), fc.nat(3)),
      sameSize: fc.constantFrom(true, true, false),
      bias: fc.boolean(),
      channels: fc.integer({ min: 1, max: 9 }),
      activation: fc.constantFrom('Relu', 'Relu', 'Sigmoid', undefined),
    });
    let [paired, masked] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(form, { minLength: 2, maxLength: 3 }), async forms => {
        const model = modelOf(
          (g, x) => {
            let [y, channels] = [x, 3];
            for (const { activation, channels: outputs, sameSize, ...rest } of forms) {
              y = conv(g, y, [channels, outputs], sameSize ? keepsSize(rest) : rest);
              if (activation) y = g.op(activation, [y]);
              channels = outputs;
            }
            return halved(g, y, channels);
          },
          ['batch', 3, 40, 64],
        );
        paired += await pairAndCompare(model);
        masked += [...model.graph.nodes].filter(({ opType }) => opType === 'Add').length;
      }),
      { numRuns: 100 },
    );
    expect(paired).toBeGreaterThan(20);
    expect(masked).toBeGreaterThan(0);
  });
});

describe('pairedConvolution', () => {
  it('finds the convolution that a weight belongs to, and no other', () => {
    const model = modelOf((g, x) =>
      halved(g, conv(g, conv(g, x, [3, 4], { kernel: [3, 5], pads: [1, 2, 1, 2] }), [4, 4])),
    );
    const weights = [...model.graph.initializers].filter(({ name }) => name.startsWith('weight'));
    expect([...model.graph.nodes].map(pairedConvolution)).toEqual([undefined, undefined, undefined]);
    pairColumns(model);
    const found = weights.map(weight => pairedConvolution(weight.consumers[0]!));
    expect(found.map(node => node?.opType)).toEqual(['Conv', 'Conv', 'Conv']);
    expect(new Set(found).size).toBe(3);
    const others = [...model.graph.nodes].filter(
      node => !weights.some(weight => node.inputs.includes(weight)),
    );
    expect(others.filter(pairedConvolution)).toEqual([]);
  });
});

describe('pairAlong', () => {
  it('puts every tap where its column lies', () => {
    const pairing = fc.constantFrom(0 as const, 1 as const, undefined);
    const along = fc.record({
      kernel: fc.integer({ min: 1, max: 5 }),
      stride: fc.constantFrom(1, 2),
      dilation: fc.constantFrom(1, 2),
      pad: fc.nat(4),
      widthIn: fc.integer({ min: 1, max: 20 }),
      widthOut: fc.integer({ min: 1, max: 20 }),
    });
    let fitting = 0;
    fc.assert(
      fc.property(along, pairing, pairing, (conv, from, to) => {
        const paired = pairAlong(conv, from, to);
        if (!paired) return;
        fitting++;
        const [lanesIn, lanesOut] = [from === undefined ? 1 : 2, to === undefined ? 1 : 2];
        for (let column = 0; column < conv.widthOut; column++) {
          const place = column + (to ?? 0);
          const taps = paired.taps[place % lanesOut]!;
          const start = Math.floor(place / lanesOut) * paired.stride - paired.pads[0];
          const read = taps.map(({ block, lane }) => (start + block) * lanesIn + lane - (from ?? 0));
          const wanted = taps.map((_, t) => conv.stride * column + conv.dilation * t - conv.pad);
          expect(read).toEqual(wanted);
          expect(Math.max(...taps.map(({ block }) => block))).toBeLessThan(paired.kernel);
        }
      }),
      { numRuns: 500 },
    );
    expect(fitting).toBeGreaterThan(50);
  });
});
