import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../../src/graph/index.js';
import {
  type FactorDecay,
  factorDecay,
  factorize,
  frobeniusDecay,
  orthogonalityDecay,
} from '../../../../src/methods/factorized/index.js';
import { bert, gpt2, mlp, type Network, orthogonal, vit } from '../../../../src/nn/index.js';
import { Random } from '../../../../src/random/random.js';
import {
  adamW,
  lamb,
  type Objective,
  type StepOptions,
  StepRunner,
  sgd,
  trainingStep,
} from '../../../../src/train/index.js';
import { smallBatch, squaredError } from '../../../train/small.js';
import { noise } from './noise.js';

const zeroLoss: Objective = {
  build: ({ b, network }) => {
    const output = network.outputs[0]!;
    return {
      loss: b.mul(
        b.sum(
          output,
          output.shape!.map((_, i) => i),
        ),
        0,
      ),
    };
  },
};

/** What one step of a training without loss does to the parameters. */
async function moves(
  network: Network,
  inputs: Record<string, Tensor>,
  options: Partial<StepOptions>,
  rates = { learningRate: 1, weightDecay: 0.25 },
): Promise<Map<string, { before: Float64Array; after: Float64Array }>> {
  const step = trainingStep(network, { objective: zeroLoss, optimizer: sgd(), ...options });
  const runner = await StepRunner.create(step, { threads: 1 });
  const names = [...step.network.parameters.values()].filter(p => p.trainable).map(p => p.name);
  const read = (name: string) => runner.states.read(name).toFloat64();
  const before = names.map(read);
  await runner.run(inputs, rates);
  const after = names.map(read);
  await runner.release();
  return new Map(names.map((name, i) => [name, { before: before[i]!, after: after[i]! }]));
}

const ids = Tensor.int64([1, 2, 0, 3], [1, 4]);
const ones = Tensor.int64([1, 1, 1, 1], [1, 4]);
const sizes = {
  vocabulary: 5,
  features: 6,
  depth: 1,
  heads: 2,
  maxTokens: 4,
  headDim: 2,
  dropout: 0,
  training: true,
};

describe('Frobenius decay of attention', () => {
  const cases: [
    string,
    Network,
    Record<string, Tensor>,
    [string, string, string, string],
    'in-out' | 'out-in',
    boolean,
  ][] = [
    [
      'BERT, three projections',
      bert(sizes),
      { input_ids: ids, attention_mask: ones, token_type_ids: Tensor.int64([0, 0, 0, 0], [1, 4]) },
      [
        ...['query', 'key', 'value'].map(name => `encoder.layer.0.attention.self.${name}.weight`),
        'encoder.layer.0.attention.output.dense.weight',
      ] as [string, string, string, string],
      'out-in',
      false,
    ],
    [
      'ViT, one projection',
      vit({ ...sizes, imageSize: 4, patchSize: 2, channels: 1, classes: 2 }),
      { pixel_values: Tensor.float32([1, 1, 4, 4], noise(16, 1)) },
      [...Array(3).fill('blocks.0.attn.qkv.weight'), 'blocks.0.attn.proj.weight'] as [
        string,
        string,
        string,
        string,
      ],
      'out-in',
      true,
    ],
    [
      'GPT-2, (in, out)',
      gpt2(sizes),
      { input_ids: ids },
      [...Array(3).fill('transformer.h.0.attn.c_attn.weight'), 'transformer.h.0.attn.c_proj.weight'] as [
        string,
        string,
        string,
        string,
      ],
      'in-out',
      true,
    ],
  ];
  const [features, heads, headDim] = [6, 2, 2];
  const inner = heads * headDim;

  it.each(cases)(
    'decays Q_h K_hᵀ and V_h O_hᵀ as formed: %s',
    async (_, network, inputs, names, layout, fused) => {
      const moved = await moves(network, inputs, { methods: [frobeniusDecay({ of: 'attention' })] });
      /** Element of the (features × headDim) slice of one head. */
      const at = (which: number, h: number, f: number, d: number): number => {
        const column = h * headDim + d + (fused && which < 3 ? which * inner : 0);
        const width = which < 3 && fused ? 3 * inner : inner;
        const innerFirst = which < 3 ? layout === 'out-in' : layout === 'in-out';
        return innerFirst ? column * features + f : f * width + column;
      };
      for (const [left, right] of [
        [0, 1],
        [2, 3],
      ] as const) {
        for (let h = 0; h < heads; h++) {
          const slice = (which: number, when: 'before' | 'after') => (f: number, d: number) =>
            moved.get(names[which]!)![when][at(which, h, f, d)]!;
          const [a, c] = [slice(left, 'before'), slice(right, 'before')];
          const product = (i: number, j: number) => [0, 1].reduce((sum, d) => sum + a(i, d) * c(j, d), 0);
          for (let f = 0; f < features; f++) {
            for (let d = 0; d < headDim; d++) {
              let [da, dc] = [0, 0];
              for (let j = 0; j < features; j++) {
                da += product(f, j) * c(j, d);
                dc += product(j, f) * a(j, d);
              }
              expect(slice(left, 'after')(f, d)).toBeCloseTo(a(f, d) - 0.25 * da, 6);
              expect(slice(right, 'after')(f, d)).toBeCloseTo(c(f, d) - 0.25 * dc, 6);
            }
          }
        }
      }
    },
  );
});

const lowRankMlp = (): Network => {
  const network = mlp({ widths: [3, 4, 2], training: true });
  factorize(network, { rank: { rank: 2 }, layers: /^0$/, onlySmaller: false });
  return network;
};
const input = { input: Tensor.float32([1, 3], [1, 2, 3]) };

describe('factors in the optimizer', () => {
  const product =
    ({ u, v }: { u: Float64Array; v: Float64Array }, transpose: 'u' | 'v') =>
    (i: number, j: number): number =>
      transpose === 'u'
        ? [0, 1, 2, 3].reduce((sum, k) => sum + u[k * 2 + i]! * u[k * 2 + j]!, 0)
        : [0, 1, 2].reduce((sum, k) => sum + v[i * 3 + k]! * v[j * 3 + k]!, 0);

  it.each([
    ['SGD', sgd()],
    ['AdamW', adamW()],
    ['LAMB', lamb()],
  ])('decay by %s: coupled or decoupled, one step without a gradient is the same', async (_, optimizer) => {
    const moved = await moves(
      lowRankMlp(),
      input,
      { optimizer, methods: [frobeniusDecay()] },
      { learningRate: 0.5, weightDecay: 0.1 },
    );
    const [u, v] = ['0.u.weight', '0.v.weight'].map(name => moved.get(name)!);
    const g = product({ u: u!.before, v: v!.before }, 'v');
    u!.after.forEach((value, i) => {
      const [row, col] = [Math.floor(i / 2), i % 2];
      const gradient = [0, 1].reduce((sum, k) => sum + u!.before[row * 2 + k]! * g(k, col), 0);
      expect(value).toBeCloseTo(u!.before[i]! - 0.05 * gradient, 6);
    });
    // The layer that is no product decays as ever. LAMB scales that by its trust ratio.
    const dense = moved.get('2.weight')!;
    if (optimizer.name !== 'lamb') {
      dense.after.forEach((value, i) => {
        expect(value).toBeCloseTo(0.95 * dense.before[i]!, 6);
      });
    }
  });

  it.each([
    ['weight', 0.9],
    ['none', 1],
  ] as [FactorDecay, number][])('decay "%s" multiplies factors by %f', async (decay, factor) => {
    const method = factorDecay(decay);
    const moved = await moves(
      lowRankMlp(),
      input,
      { methods: method ? [method] : [] },
      { learningRate: 1, weightDecay: 0.1 },
    );
    for (const [name, expected] of [
      ['0.u.weight', factor],
      ['0.v.weight', factor],
      ['2.weight', 0.9],
      ['0.u.bias', 1],
    ] as const) {
      const { before, after } = moved.get(name)!;
      after.forEach((value, i) => {
        expect(value).toBeCloseTo(expected * before[i]!, 6);
      });
    }
  });

  it.each(['orthogonal', 'orthonormal'] as const)(
    'an %s penalty is the gradient of its formula',
    async target => {
      const network = lowRankMlp();
      const tensor = Tensor.float32([4, 2], noise(8, 3));
      network.setTensor('0.u.weight', tensor);
      const moved = await moves(
        network,
        input,
        { methods: [orthogonalityDecay({ target, strength: 2 })] },
        { learningRate: 1, weightDecay: 0.1 },
      );
      const { before, after } = moved.get('0.u.weight')!;
      const value = (u: Float64Array): number => {
        const g = product({ u, v: u }, 'u');
        let sum = 0;
        for (let i = 0; i < 2; i++)
          for (let j = 0; j < 2; j++)
            sum += (g(i, j) - (i === j ? (target === 'orthonormal' ? 1 : g(i, i)) : 0)) ** 2;
        return (0.2 / 4) * sum;
      };
      before.forEach((_, i) => {
        const shifted = (by: number) => before.map((x, j) => (i === j ? x + by : x));
        const slope = (value(shifted(1e-5)) - value(shifted(-1e-5))) / 2e-5;
        expect(before[i]! - after[i]!).toBeCloseTo(slope, 5);
      });
    },
  );
});

describe('at full rank', () => {
  it('SGD with Frobenius decay follows the dense network with weight decay, weight decay on factors does not', async () => {
    // With W half an orthogonal matrix both factors are √½ of one, and the first-order steps of the product are W's.
    const start = () => mlp({ widths: [3, 3, 2], activation: 'tanh', training: true, seed: 4 });
    const half = (network: Network) => {
      const w = orthogonal(0.5)({ dims: [3, 3], fanIn: 3, fanOut: 3 }, new Random(1));
      network.setTensor('0.weight', Tensor.float32([3, 3], w));
      return network;
    };
    const learn = async (network: Network, methods: StepOptions['methods']) => {
      const step = trainingStep(network, {
        objective: squaredError,
        optimizer: sgd({ momentum: 0.9 }),
        methods: methods!,
      });
      const runner = await StepRunner.create(step, { threads: 1 });
      for (let i = 0; i < 6; i++) await runner.run(smallBatch(i), { learningRate: 2e-3, weightDecay: 2 });
      await runner.release();
      const read = (name: string) => runner.states.read(name).toFloat64();
      if (network.factorized.size === 0) return read('0.weight');
      const [u, v] = [read('0.u.weight'), read('0.v.weight')];
      return Float64Array.from({ length: 9 }, (_, i) =>
        [0, 1, 2].reduce((sum, k) => sum + u[Math.floor(i / 3) * 3 + k]! * v[k * 3 + (i % 3)]!, 0),
      );
    };
    const product = () => {
      const network = half(start());
      factorize(network, { rank: { rank: 3 }, layers: /^0$/, onlySmaller: false });
      return network;
    };
    const first = half(start()).tensor('0.weight').toFloat64();
    const dense = await learn(half(start()), []);
    const distance = (a: Float64Array, c: Float64Array) => Math.hypot(...a.map((x, i) => x - c[i]!));
    const travelled = distance(dense, first);
    expect(travelled).toBeGreaterThan(0.02);
    expect(distance(await learn(product(), [frobeniusDecay()]), dense)).toBeLessThan(0.1 * travelled);
    expect(distance(await learn(product(), []), dense)).toBeGreaterThan(0.5 * travelled);
  });
});
