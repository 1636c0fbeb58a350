import { describe, expect, it } from 'vitest';
import { conv2d, Network, relu, Scope } from '../../src/nn/index.js';
import { filling } from '../../src/runtime/layout/filling.js';
import { layoutPass, probeBlockedLayout } from '../../src/runtime/layout/index.js';

const block = (await probeBlockedLayout()) ?? 0;

/** Two 3×3 convolutions: of one channel to `channels`, and of those to as many. */
function twoConvolutions(channels: number): Network {
  const network = new Network({ training: true });
  const scope = new Scope(network);
  const x = network.input('x', 'float32', [2, 1, 6, 6]);
  const options = { outChannels: channels, kernelSize: 3, padding: 1, bias: false };
  const y = relu(scope, conv2d(scope.at('a'), x, { inChannels: 1, ...options }));
  network.output('y', conv2d(scope.at('b'), y, { inChannels: channels, ...options }));
  // As in a training step, filters come from outside.
  const { graph } = network;
  for (const { value } of network.parameters.values()) {
    graph.initializers.delete(value);
    value.initializer = undefined;
    graph.inputs.push(value);
  }
  return network;
}

describe('filling', () => {
  it('counts products with and without the zeros that fill blocks', () => {
    expect(filling(twoConvolutions(16).graph, 16)).toBe(1);
    expect(filling(twoConvolutions(5).graph, 16)).toBe((16 + 16 * 16) / (5 + 5 * 5));
    expect(filling(twoConvolutions(5).graph, 8)).toBe((8 + 8 * 8) / (5 + 5 * 5));
    expect(filling(new Network({ training: true }).graph, 16)).toBe(1);
  });
});

describe.skipIf(block === 0)('layoutPass', () => {
  it.each([
    [2, false],
    [block, true],
  ])('with %i channels, blocked is %s', async (channels, blocked) => {
    const model = twoConvolutions(channels).toModel();
    (await layoutPass())({ model });
    expect([...model.graph.nodes].some(node => node.domain === 'com.microsoft.nchwc')).toBe(blocked);
  });
});
