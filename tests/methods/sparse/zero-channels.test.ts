import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../../src/graph/model.js';
import { sizeOf, Tensor } from '../../../src/graph/tensor.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { removeZeroChannels } from '../../../src/methods/sparse/zero-channels.js';
import { cifarResNet, exportForInference, mlp, type Network, vit } from '../../../src/nn/index.js';
import { Random } from '../../../src/random/random.js';
import { exportTrained } from '../../../src/train/index.js';
import { expectClose } from '../../nn/close.js';
import { run } from '../../nn/run.js';
import { numbers, tinyMlp, watch } from './tiny.js';

const size = (model: Model): number =>
  [...model.graph.initializers].reduce(
    (sum, { initializer }) => sum + sizeOf((initializer as Tensor).dims),
    0,
  );

const noise = (dims: readonly number[], seed: number): Tensor => {
  const random = new Random(seed);
  return Tensor.float32(
    dims,
    Array.from({ length: sizeOf(dims) }, () => random.normal()),
  );
};

/** Both models give the same for the same input. */
async function expectSame(small: Model, whole: Model, dims: readonly number[]): Promise<void> {
  const feeds = { [whole.graph.inputs[0]!.name]: noise(dims, 5) };
  const [a, b] = [await run(small, feeds), await run(whole, feeds)];
  for (const name of Object.keys(b)) expectClose(a[name]!, b[name]!, 1e-5);
}

/** Zeros in the rows (axis 0) or columns (axis 1) of a weight. */
function clear(network: Network, name: string, axis: 0 | 1, indices: readonly number[]): void {
  const { dims } = network.parameter(name);
  const inner = sizeOf(dims.slice(2));
  const place = (i: number): number =>
    axis === 0 ? Math.floor(i / (dims[1]! * inner)) : Math.floor(i / inner) % dims[1]!;
  const values = numbers(network.tensor(name));
  network.setTensor(
    name,
    Tensor.float32(
      dims,
      values.map((value, i) => (indices.includes(place(i)) ? 0 : value)),
    ),
  );
}

const dimsOf = (model: Model): string[] =>
  [...model.graph.initializers].map(({ initializer }) => (initializer as Tensor).dims.join('×')).sort();

it('a neuron that nothing reads goes, whatever makes it, and then those that only it read', async () => {
  const network = tinyMlp();
  clear(network, '4.weight', 1, [0, 3, 4]);
  // The first neuron of the layer before is read by these three alone.
  const { dims } = network.parameter('2.weight');
  const values = numbers(network.tensor('2.weight'));
  network.setTensor(
    '2.weight',
    Tensor.float32(
      dims,
      values.map((value, i) => (i % 12 === 0 && ![0, 3, 4].includes(Math.floor(i / 12)) ? 0 : value)),
    ),
  );
  const whole = exportForInference(network);
  const small = removeZeroChannels(whole);
  expect(dimsOf(small)).toEqual(['11', '11×36', '2', '2×7', '7', '7×11'].sort());
  await expectSame(small, whole, [3, 1, 6, 6]);
});

it('a layer that nothing reads keeps one neuron', async () => {
  const network = tinyMlp();
  clear(network, '4.weight', 1, [...Array(10).keys()]);
  const whole = exportForInference(network);
  const small = removeZeroChannels(whole);
  expect(dimsOf(small)).toEqual(['1', '1×36', '1', '1×1', '2', '2×1'].sort());
  await expectSame(small, whole, [3, 1, 6, 6]);
});

const networks: Record<string, { build: () => Network; input: readonly number[] }> = {
  mlp: { build: () => mlp({ widths: [8, 7, 6, 5, 3], inputShape: [8], training: true }), input: [2, 8] },
  resnet: {
    build: () => cifarResNet({ depth: 8, training: true, shortcut: 'conv' }),
    input: [1, 3, 32, 32],
  },
  vit: {
    build: () =>
      vit({ imageSize: 8, patchSize: 4, classes: 3, features: 8, depth: 2, heads: 4, training: true }),
    input: [1, 3, 8, 8],
  },
};

describe.each(Object.entries(networks))('%s', (_, { build, input }) => {
  it('computes the same without what masks leave unread', async () => {
    const weights = [...build().parameters.values()].filter(
      ({ kind, dims }) => kind === 'weight' && dims.length > 1,
    );
    const cleared = fc.tuple(
      ...weights.map(({ name, dims }) =>
        fc.record({
          name: fc.constant(name),
          axis: fc.constantFrom(0 as const, 1 as const),
          indices: fc.subarray([...Array(Math.min(dims[0]!, dims[1]!)).keys()]),
        }),
      ),
    );
    let smaller = 0;
    await fc.assert(
      fc.asyncProperty(cleared, async all => {
        const network = build();
        for (const { name, axis, indices } of all) clear(network, name, axis, indices);
        const whole = exportForInference(network);
        const small = removeZeroChannels(whole);
        if (small !== whole) smaller++;
        expect(size(small)).toBeLessThanOrEqual(size(whole));
        await expectSame(small, whole, input);
      }),
      { numRuns: 12 },
    );
    expect(smaller).toBeGreaterThan(6);
  });
});

describe.each([
  ['magnitude', 'at=0.5'],
  ['gradual', 'interval=3'],
  ['iterative', 'rounds=3'],
  ['lottery', 'rate=0.6,rewind=0.25'],
  ['snip', 'samples=32'],
  ['rigl', 'interval=3'],
])('%s', (name, settings) => {
  it('leaves a smaller file that computes the same, where its masks leave neurons unread', async () => {
    const methods = await combine([readMethod(`${name}:dense=none,density=0.03,${settings}`)]);
    const { network } = await watch(methods[0]!, () => {});
    const whole = exportForInference(network);
    const small = exportTrained(network, methods);
    expect(size(small)).toBeLessThan(size(whole));
    await expectSame(small, whole, [3, 1, 6, 6]);
  });
});
