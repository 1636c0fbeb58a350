import { describe, expect, it } from 'vitest';
import { gradients, typedBuilder } from '../../src/graph/autodiff/index.js';
import { Tensor } from '../../src/graph/index.js';
import { removeDead } from '../../src/graph/rewrite/index.js';
import { layerNorm, linear, Network, Scope } from '../../src/nn/index.js';
import { Random } from '../../src/random/random.js';
import { evaluate } from '../../src/runtime/index.js';
import { foldLayerNorm } from '../../src/train/step/fold-layer-norm.js';

const [rows, features] = [40, 8];

/** Two linear layers, one of each layout, one without bias, behind a normalization. */
function build({ residual = false } = {}): { network: Network; folded: () => number } {
  const network = new Network({ training: true, seed: 3 });
  const scope = new Scope(network, '');
  const x = network.input('x', 'float32', [2, rows / 2, features]);
  const normal = layerNorm(scope.at('norm'), x, { features });
  const first = linear(scope.at('first'), normal, { inFeatures: features, outFeatures: 6 });
  const second = linear(scope.at('second'), normal, {
    inFeatures: features,
    outFeatures: 6,
    layout: 'in-out',
    bias: false,
  });
  let sum = scope.op('Mul', [first, second]);
  if (residual) sum = scope.op('Add', [scope.op('ReduceSum', [sum]), normal]);
  network.output('y', sum);
  const random = new Random(5);
  for (const name of ['norm.weight', 'norm.bias']) {
    network.setTensor(
      name,
      Tensor.float32(
        [features],
        Array.from({ length: features }, () => random.uniform(-1, 2)),
      ),
    );
  }
  const model = network.toModel();
  return { network, folded: () => foldLayerNorm(typedBuilder(model), network.graph) };
}

/** Output, and the gradients of Σ y². */
async function everything(network: Network): Promise<Record<string, number[]>> {
  const model = network.toModel();
  const b = typedBuilder(model);
  const [y] = network.outputs;
  const names = [...network.parameters.keys()];
  const found = gradients(
    model,
    b.sum(b.square(y!), [0, 1, 2].slice(0, y!.shape!.length)),
    names.map(name => network.parameter(name).value),
  );
  found.forEach((value, i) => network.graph.addOutput(b.op('Identity', [value]), `d/${names[i]}`));
  removeDead(network.graph);
  const random = new Random(9);
  const x = Tensor.float32(
    [2, rows / 2, features],
    Array.from({ length: rows * features }, () => random.uniform(-2, 3)),
  );
  const outputs = await evaluate(model, { x });
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.toNumbers()]));
}

describe('foldLayerNorm', () => {
  it('changes neither outputs nor gradients', async () => {
    const expected = await everything(build().network);
    const { network, folded } = build();
    expect(folded()).toBe(1);
    const actual = await everything(network);
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    expect(Object.keys(actual)).toHaveLength(6);
    for (const [name, values] of Object.entries(expected)) {
      const size = Math.max(...values.map(Math.abs));
      expect(size).toBeGreaterThan(0);
      values.forEach((value, i) => expect(Math.abs(actual[name]![i]! - value)).toBeLessThan(2e-5 * size));
    }
  });

  it('leaves a normalization alone that something else reads', () => {
    expect(build({ residual: true }).folded()).toBe(0);
  });
});
