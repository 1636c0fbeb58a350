import { describe, it } from 'vitest';
import { expectShapes } from './compare.js';

const REDUCTIONS = 'Sum Mean Max Min Prod L1 L2 LogSum LogSumExp SumSquare'
  .split(' ')
  .map(name => `Reduce${name}`);

describe('reductions', () => {
  it('take axes as an input', async () => {
    await expectShapes(
      c => {
        const { random } = c;
        const x = c.input(random.shape(3));
        const axes = random.shuffle([0, 1, -1]).slice(0, random.int(1, 3));
        const keepdims = random.int(0, 1);
        for (const op of REDUCTIONS) {
          c.op(op, [x, c.ints(...axes)], { keepdims });
          c.op(op, [x], { keepdims });
        }
        c.op('ReduceSum', [x], { noop_with_empty_axes: 1 });
        c.op('ArgMax', [x], { axis: random.int(-3, 2), keepdims });
        c.op('ArgMin', [x], { keepdims });
        c.graph.node('TopK', [x, c.ints(1)], { axis: random.int(-3, 2) }, { outputs: 2 });
        c.op('CumSum', [x, c.scalar(1)]);
      },
      { seeds: 10 },
    );
  });

  it('take axes as an attribute in old operator sets', async () => {
    await expectShapes(
      c => {
        const { random } = c;
        const x = c.input(random.shape(3));
        for (const op of REDUCTIONS) {
          c.op(op, [x], { axes: random.shuffle([0, 1, -1]).slice(1), keepdims: random.int(0, 1) });
        }
        c.op('Squeeze', [c.op('Unsqueeze', [x], { axes: [0, 2] })], { axes: [2] });
        c.graph.node('Split', [c.input([6, 2])], { split: [1, 2, 3], axis: 0 }, { outputs: 3 });
        c.op('Dropout', [x]);
        c.op('Pad', [x, c.ints(0, 1, 0, 0, 0, 2)]);
      },
      { opset: 11 },
    );
    await expectShapes(
      c => {
        const x = c.input(c.random.shape(3, 3, 6));
        c.op('Slice', [x], { starts: [1, 0], ends: [-1, 2], axes: [2, 0] });
        c.op('Pad', [x], { pads: [0, 1, 0, 0, 0, 2] });
        c.graph.node('TopK', [x], { k: 2 }, { outputs: 2 });
        c.op('Clip', [x], { min: -1, max: 1 });
      },
      { opset: 9 },
    );
  });
});

describe('normalizations', () => {
  it('have the shapes of the runtime', async () => {
    await expectShapes(c => {
      const [n, ch, h, w] = c.random.shape(4, 2, 5) as [number, number, number, number];
      const x = c.input([n, 2 * ch, h, w]);
      const [scale, bias, mean, variance] = [0, 1, 2, 3].map(() => c.weight([2 * ch]));
      c.op('BatchNormalization', [x, scale!, bias!, mean!, variance!]);
      c.graph.node(
        'BatchNormalization',
        [x, scale!, bias!, mean!, variance!],
        { training_mode: 1 },
        { outputs: 3 },
      );
      c.op('InstanceNormalization', [x, scale!, bias!]);
      c.op('GroupNormalization', [x, scale!, bias!], { num_groups: 2 });
      c.graph.node('LayerNormalization', [x, c.weight([w]), c.weight([w])], {}, { outputs: 3 });
      c.op('LayerNormalization', [x, c.weight([h, w])], { axis: 2 });
      c.op('LpNormalization', [x]);
      c.op('MeanVarianceNormalization', [x]);
      c.op('LRN', [x], { size: 3 });
      const tokens = c.input([n, h, 8]);
      c.microsoft('SkipLayerNormalization', [tokens, tokens, c.weight([8]), c.weight([8]), c.weight([8])]);
      c.microsoft('SkipSimplifiedLayerNormalization', [tokens, tokens, c.weight([8])]);
      c.microsoft('BiasGelu', [tokens, c.weight([8])]);
    });
  });

  it('as one operator of opset 23', async () => {
    await expectShapes(
      c => {
        const [b, s, t] = c.random.shape(3, 2, 5) as [number, number, number];
        const x = c.input([b, s, 8]);
        c.op('RMSNormalization', [x, c.weight([8])]);
        c.op('Attention', [c.input([b, 4, s, 6]), c.input([b, 2, t, 6]), c.input([b, 2, t, 5])]);
        c.op('Attention', [x, c.input([b, t, 4]), c.input([b, t, 6])], { q_num_heads: 4, kv_num_heads: 2 });
      },
      { opset: 23 },
    );
  });
});

describe('recurrent and attention layers', () => {
  it('have the shapes of the runtime', async () => {
    await expectShapes(c => {
      const { random } = c;
      const [steps, batch, features, hidden] = random.shape(4) as [number, number, number, number];
      const direction = random.pick('forward', 'reverse', 'bidirectional');
      const d = direction === 'bidirectional' ? 2 : 1;
      const x = c.input([steps, batch, features]);
      for (const [op, gates, outputs] of [
        ['LSTM', 4, 3],
        ['GRU', 3, 2],
        ['RNN', 1, 2],
      ] as const) {
        const w = c.weight([d, gates * hidden, features]);
        const r = c.weight([d, gates * hidden, hidden]);
        c.graph.node(op, [x, w, r], { hidden_size: hidden, direction }, { outputs });
      }
      const tokens = c.input([batch, steps, 8]);
      c.microsoft('Attention', [tokens, c.weight([8, 24]), c.weight([24])], { num_heads: 2 });
      const other = c.input([batch, steps + 1, 8]);
      c.microsoft('MultiHeadAttention', [tokens, other, other], { num_heads: 4 });
    });
  });
});

describe('losses and spectra', () => {
  it('have the shapes of the runtime', async () => {
    await expectShapes(c => {
      const [n, d] = c.random.shape(2, 2, 5) as [number, number];
      const scores = c.input([n, 3, d]);
      const labels = c.input([n, d], 'int64');
      for (const reduction of ['none', 'mean', 'sum']) {
        c.op('NegativeLogLikelihoodLoss', [scores, labels], { reduction });
        c.graph.node('SoftmaxCrossEntropyLoss', [scores, labels], { reduction }, { outputs: 2 });
      }
      c.op('HannWindow', [c.scalar(7)]);
      c.op('DFT', [c.input([n, 8, 1])], { onesided: 1 });
      c.op('DFT', [c.input([n, 8, 2])], {});
      c.op('STFT', [c.input([n, 40, 1]), c.scalar(5), null, c.scalar(16)]);
      c.op('MelWeightMatrix', [
        c.scalar(8),
        c.scalar(64),
        c.scalar(16000),
        c.scalar(0, 'float32'),
        c.scalar(8000, 'float32'),
      ]);
    });
  });
});
