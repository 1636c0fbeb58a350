import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { cloneNetwork } from '../../src/nn/clone.js';
import { normal, zeros } from '../../src/nn/initializers.js';
import { relu } from '../../src/nn/layers/activation.js';
import { linear } from '../../src/nn/layers/linear.js';
import { gpt2 } from '../../src/nn/models/gpt2.js';
import { mlp } from '../../src/nn/models/mlp.js';
import { Network } from '../../src/nn/network.js';
import { Scope } from '../../src/nn/scope.js';
import { run } from './run.js';

describe('a network', () => {
  it('says of its parameters what they are for', () => {
    const network = gpt2({ vocabulary: 7, features: 4, depth: 1, heads: 2, maxTokens: 3 });
    expect(network.parameter('transformer.h.0.attn.c_attn.weight')).toMatchObject({
      kind: 'weight',
      trainable: true,
      dims: [4, 12],
      fanIn: 4,
      fanOut: 12,
    });
    const kinds = [...new Set([...network.parameters.values()].map(({ kind }) => kind))].sort();
    expect(kinds).toEqual(['bias', 'embedding', 'scale', 'weight']);
    expect(network.parameter('transformer.ln_f.bias').kind).toBe('bias');
    expect(() => network.parameter('x')).toThrow(/no such parameter.*"x"/);
  });

  it('counts buffers apart', () => {
    const network = new Network();
    network.addParameter('w', [3, 2], { kind: 'weight', initializer: zeros });
    network.addParameter('statistics', [5], { kind: 'buffer', initializer: zeros });
    network.addParameter('frozen', [7], { kind: 'bias', initializer: zeros, trainable: false });
    expect([network.parameterCount(), network.parameterCount('all')]).toEqual([6, 18]);
  });

  it('draws values when they are asked for, the same each time', () => {
    let draws = 0;
    const network = new Network({ seed: 4 });
    const counting: typeof zeros = (shape, random) => {
      draws++;
      return normal()(shape, random);
    };
    network.addParameter('w', [3, 2], { kind: 'weight', initializer: counting });
    expect([network.parameterCount(), draws]).toEqual([6, 0]);
    expect(network.tensor('w').toFloat32()).toEqual(network.tensor('w').toFloat32());
    expect(draws).toBe(2);
    network.materialize();
    network.tensor('w').bytes();
    expect(draws).toBe(3);
  });

  it('takes each name once', () => {
    const network = mlp({ widths: [2, 1] });
    const options = { kind: 'weight', initializer: zeros } as const;
    expect(() => network.addParameter('0.weight', [1], options)).toThrow(/name already.*"0.weight"/);
    expect(network.tensor('0.weight').dims).toEqual([1, 2]);
    expect(() => network.output('logits', network.outputs[0]!)).toThrow(/name already.*"logits"/);
  });

  it('hands out inputs and outputs under further names', async () => {
    const network = new Network();
    const x = network.input('x', 'float32', ['batch']);
    const y = network.output('y', relu(new Scope(network), x));
    network.output('same', y);
    network.output('given', x);
    const outputs = await run(network.toModel(), { x: Tensor.float32([2], [-1, 3]) });
    expect(Object.entries(outputs).map(([name, tensor]) => [name, tensor.toNumbers()])).toEqual([
      ['y', [0, 3]],
      ['same', [0, 3]],
      ['given', [-1, 3]],
    ]);
  });

  it('refuses tensors of another shape', () => {
    const network = mlp({ widths: [2, 1] });
    expect(() => network.setTensor('0.bias', Tensor.float32([2], [1, 2]))).toThrow(/shape \[1\].*\[2\]/);
  });

  it('has clones that change alone', () => {
    const network = mlp({ widths: [3, 3] });
    const copy = cloneNetwork(network);
    const x = copy.graph.inputs[0]!;
    linear(new Scope(copy, 'new'), x, { inFeatures: 3, outFeatures: 3 });
    copy.setTensor('0.bias', Tensor.float32([3], [1, 1, 1]));
    expect(network.parameters.has('new.weight')).toBe(false);
    expect(network.layers.has('new')).toBe(false);
    expect(network.tensor('0.bias').toNumbers()).not.toEqual([1, 1, 1]);
    expect(copy.layers.get('0')).toMatchObject({ weight: copy.parameter('0.weight'), input: x });
  });
});
