import { describe, expect, it } from 'vitest';
import { gradients, typedBuilder } from '../../src/graph/autodiff/index.js';
import { Tensor } from '../../src/graph/index.js';
import { removeDead } from '../../src/graph/rewrite/index.js';
import { Network, Scope } from '../../src/nn/index.js';
import { Random } from '../../src/random/random.js';
import { evaluate } from '../../src/runtime/index.js';
import { convolveShortcuts } from '../../src/train/step/convolve-shortcuts.js';

interface Cut {
  readonly dims?: readonly number[];
  readonly starts?: readonly number[];
  readonly axes?: readonly number[];
  readonly steps?: readonly number[];
  readonly pads?: readonly number[];
}

/** A slice of images, padded where there are pads. */
function build({ dims = [2, 3, 5, 6], starts = [0, 0], axes = [2, 3], steps = [2, 3], pads }: Cut): Network {
  const network = new Network({ training: true });
  const scope = new Scope(network);
  const x = network.input('x', 'float32', dims);
  const lists = [starts, starts.map(() => 2 ** 31 - 1), axes, steps].map(list => scope.int64(...list));
  let y = scope.op('Slice', [x, ...lists]);
  if (pads) y = scope.op('Pad', [y, scope.int64(...pads)]);
  network.output('y', y);
  return network;
}

/** y, and the gradient of Σ y² · w for some w. */
async function outputs(network: Network, dims: readonly number[]): Promise<Record<string, number[]>> {
  const model = network.toModel();
  const { graph } = network;
  const b = typedBuilder(model);
  const [y] = network.outputs;
  const random = new Random(4);
  const noise = (shape: readonly number[]): Tensor =>
    Tensor.float32(
      shape,
      Array.from({ length: shape.reduce((product, dim) => product * dim, 1) }, () => random.uniform(-2, 3)),
    );
  const loss = b.sum(b.mul(b.square(y!), b.constant(noise(y!.fixedShape!))), [0, 1, 2, 3]);
  const [gradient] = gradients(model, loss, [graph.inputs[0]!]);
  graph.addOutput(b.op('Identity', [gradient!]), 'dx');
  removeDead(graph);
  const found = await evaluate(model, { x: noise(dims) });
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, tensor.toNumbers()]));
}

describe('convolveShortcuts', () => {
  it.each<[string, Cut]>([
    ['a strided slice', {}],
    ['channels of zeros around it', { pads: [0, 1, 0, 0, 0, 2, 0, 0] }],
    ['one axis, counted from the end', { axes: [-1], starts: [0], steps: [2], dims: [1, 4, 3, 7] }],
  ])('gives the same numbers for %s', async (_, cut) => {
    const dims = cut.dims ?? [2, 3, 5, 6];
    const expected = await outputs(build(cut), dims);
    const network = build(cut);
    expect(convolveShortcuts(typedBuilder(network.toModel()), network.graph)).toBe(1);
    expect([...network.graph.nodes].map(node => node.opType)).toEqual(['Conv']);
    const actual = await outputs(network, dims);
    // A product with −0 may give 0.
    expect(actual.y!.map(v => v + 0)).toEqual(expected.y!.map(v => v + 0));
    expect(actual.dx!.map(v => v + 0)).toEqual(expected.dx!.map(v => v + 0));
  });

  it.each<[string, Cut]>([
    ['does not begin at the first pixel', { starts: [1, 0] }],
    ['takes every pixel', { steps: [1, 1] }],
    ['goes along channels', { axes: [1, 2], steps: [2, 2] }],
    ['is not of images', { dims: [2, 3, 5], axes: [2], starts: [0], steps: [2] }],
  ])('leaves a slice alone that %s', (_, cut) => {
    const network = build(cut);
    expect(convolveShortcuts(typedBuilder(network.toModel()), network.graph)).toBe(0);
  });

  it('keeps a pad along height and width apart', () => {
    const network = build({ pads: [0, 1, 1, 0, 0, 0, 0, 0] });
    expect(convolveShortcuts(typedBuilder(network.toModel()), network.graph)).toBe(1);
    expect([...network.graph.nodes].map(node => node.opType).sort()).toEqual(['Conv', 'Pad']);
  });
});
