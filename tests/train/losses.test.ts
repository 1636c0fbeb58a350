import { afterAll, describe, expect, it } from 'vitest';
import {
  type Builder,
  type DType,
  Graph,
  Model,
  Tensor,
  tensorType,
  typedBuilder,
  type Value,
} from '../../src/graph/index.js';
import { evaluate, releaseEvaluated } from '../../src/runtime/index.js';
import { cosineDistance, crossEntropy, klDivergence, meanSquaredError } from '../../src/train/losses.js';

afterAll(releaseEvaluated);

/** Evaluates a loss of two inputs. */
async function value(
  x: Tensor,
  y: Tensor,
  build: (b: Builder, x: Value, y: Value) => Value,
): Promise<number[]> {
  const model = new Model(new Graph());
  const input = (name: string, { dtype, dims }: { dtype: DType; dims: readonly number[] }): Value =>
    model.graph.addInput(name, tensorType(dtype, dims));
  const [a, c] = [input('x', x), input('y', y)];
  model.graph.addOutput(build(typedBuilder(model), a, c), 'loss');
  return Array.from((await evaluate(model, { x, y })).loss!.toFloat32());
}

const LOGITS = Tensor.float32([2, 3], [1, 2, 0.5, -1, 0, 3]);

const logSoftmax = (row: readonly number[]): number[] => {
  const total = Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0));
  return row.map(v => v - total);
};
const ROWS = [logSoftmax([1, 2, 0.5]), logSoftmax([-1, 0, 3])];

describe('cross-entropy', () => {
  it('of labels, averaged, summed and one by one', async () => {
    const losses = [-ROWS[0]![2]!, -ROWS[1]![1]!];
    const labels = Tensor.int64([2, 1]);
    const of = (reduction: 'mean' | 'sum' | 'none'): Promise<number[]> =>
      value(LOGITS, labels, (b, x, y) => crossEntropy(b, x, y, { reduction }));
    expect((await of('none'))[0]).toBeCloseTo(losses[0]!, 5);
    expect((await of('none'))[1]).toBeCloseTo(losses[1]!, 5);
    expect((await of('sum'))[0]).toBeCloseTo(losses[0]! + losses[1]!, 5);
    expect((await of('mean'))[0]).toBeCloseTo((losses[0]! + losses[1]!) / 2, 5);
  });

  it('smooths labels as it would smooth probabilities', async () => {
    const smooth = { labelSmoothing: 0.3 };
    const [byLabel] = await value(LOGITS, Tensor.int64([2, 1]), (b, x, y) => crossEntropy(b, x, y, smooth));
    const oneHot = Tensor.float32([2, 3], [0, 0, 1, 0, 1, 0]);
    const [byProbability] = await value(LOGITS, oneHot, (b, x, y) => crossEntropy(b, x, y, smooth));
    const mixed = Tensor.float32([2, 3], [0.1, 0.1, 0.8, 0.1, 0.8, 0.1]);
    const [direct] = await value(LOGITS, mixed, (b, x, y) => crossEntropy(b, x, y));
    expect(byLabel).toBeCloseTo(direct!, 5);
    expect(byProbability).toBeCloseTo(direct!, 5);
  });

  it('leaves ignored labels out of the mean, and is 0 where all are', async () => {
    const ignoring = (labels: number[]): Promise<number[]> =>
      value(LOGITS, Tensor.int64(labels), (b, x, y) => crossEntropy(b, x, y, { ignoreIndex: -100 }));
    expect((await ignoring([2, -100]))[0]).toBeCloseTo(-ROWS[0]![2]!, 5);
    expect(await ignoring([-100, -100])).toEqual([0]);
  });

  it('stops at a label that is no class', async () => {
    for (const wrong of [3, -1]) {
      await expect(
        value(LOGITS, Tensor.int64([0, wrong]), (b, x, y) => crossEntropy(b, x, y)),
      ).rejects.toThrow(/failed to run/);
    }
  });

  it('takes classes along another axis', async () => {
    const logits = Tensor.float32([1, 3, 2], [1, -1, 2, 0, 0.5, 3]);
    const [loss] = await value(logits, Tensor.int64([2, 1], [1, 2]), (b, x, y) =>
      crossEntropy(b, x, y, { axis: 1 }),
    );
    expect(loss).toBeCloseTo((-ROWS[0]![2]! - ROWS[1]![1]!) / 2, 5);
  });

  it('refuses labels of the wrong rank, and smoothing beyond all', async () => {
    await expect(
      value(LOGITS, Tensor.int64([0, 0], [2, 1]), (b, x, y) => crossEntropy(b, x, y)),
    ).rejects.toThrow(/labels of rank 2/);
    await expect(
      value(LOGITS, Tensor.int64([0, 0]), (b, x, y) => crossEntropy(b, x, y, { labelSmoothing: 1.5 })),
    ).rejects.toThrow(/between 0 and 1/);
  });
});

describe('other losses', () => {
  const x = Tensor.float32([2, 2], [3, 4, 0, 0]);
  const y = Tensor.float32([2, 2], [4, 3, 1, 0]);

  it('mean squared error', async () => {
    expect(await value(x, y, (b, p, q) => meanSquaredError(b, p, q))).toEqual([0.75]);
  });

  it('cosine distance, with zeros orthogonal to all', async () => {
    const losses = await value(x, y, (b, p, q) => cosineDistance(b, p, q, { reduction: 'none' }));
    expect(losses[0]).toBeCloseTo(1 - 24 / 25, 6);
    expect(losses[1]).toBe(1);
  });

  it('Kullback–Leibler divergence, with T² so that gradients keep their size', async () => {
    const teacher = Tensor.float32([2, 3], [0, 1, 0, 2, 0, 0]);
    const direct = (temperature: number): number =>
      [0, 1].reduce((sum, i) => {
        const row = (t: Tensor): number[] =>
          logSoftmax([...t.toFloat32().slice(3 * i, 3 * i + 3)].map(v => v / temperature));
        const [p, q] = [row(teacher), row(LOGITS)];
        return sum + (temperature ** 2 / 2) * p.reduce((s, v, j) => s + Math.exp(v) * (v - q[j]!), 0);
      }, 0);
    for (const temperature of [1, 4]) {
      const [loss] = await value(LOGITS, teacher, (b, p, q) => klDivergence(b, p, q, { temperature }));
      expect(loss).toBeCloseTo(direct(temperature), 5);
    }
  });
});
