import { describe, expect, it } from 'vitest';
import { arrayDataset } from '../../src/datasets/index.js';
import { Tensor } from '../../src/graph/index.js';
import { linear, Network, Scope } from '../../src/nn/index.js';
import { adamW, StepRunner, train, trainingStep, transcription } from '../../src/train/index.js';

const [lines, steps, classes] = [2, 5, 4];

/** Scores of each step from its three features. */
function build(output: 'logits' | 'probabilities'): Network {
  const network = new Network({ training: true, seed: 1 });
  const scope = new Scope(network, '');
  const x = network.input('x', 'float32', ['batch', steps, 3]);
  const logits = linear(scope.at('head'), x, { inFeatures: 3, outFeatures: classes });
  network.output(output, output === 'logits' ? logits : scope.op('Softmax', [logits]));
  return network;
}

/** What stands at each step: a mark for a sign, or nothing. */
const marks = [1, 1, 0, 3, 2, 0, 0, 2, 2, 0];
const x = Tensor.float32(
  [lines, steps, 3],
  marks.flatMap(mark => [1, 2, 3].map(sign => Number(sign === mark))),
);
const labels = Tensor.int64([1, 3, 2, 2, 0, 0], [lines, 3]);

const stepOf = (output: 'logits' | 'probabilities') =>
  trainingStep(build(output), {
    objective: transcription({ logits: output }),
    optimizer: adamW(),
    sizes: { batch: lines },
  });

async function losses(output: 'logits' | 'probabilities', updates: number): Promise<number[]> {
  const runner = await StepRunner.create(stepOf(output), { threads: 1 });
  const found: number[] = [];
  for (let i = 0; i < updates; i++) {
    found.push((await runner.run({ x, labels }, { learningRate: 0.5 })).loss!);
  }
  await runner.release();
  return found;
}

describe('transcription', () => {
  it('is learnt, from scores or from what a softmax reads', async () => {
    const found = await losses('logits', 40);
    expect(found.at(-1)).toBeLessThan(found[0]! / 5);
    expect(await losses('probabilities', 3)).toEqual(found.slice(0, 3));
  });

  it('is evaluated too where the number of steps follows from the data', async () => {
    const network = new Network({ training: true, seed: 1 });
    const scope = new Scope(network, '');
    const input = network.input('x', 'float32', ['line.0', 'line.1', 3]);
    network.output('logits', linear(scope.at('head'), input, { inFeatures: 3, outFeatures: classes }));
    const data = arrayDataset({ x, labels });
    const { evaluation } = await train({
      network,
      data: { train: data, test: data },
      objective: transcription(),
      optimizer: adamW(),
      learningRate: 0.5,
      batchSize: 1,
      epochs: 20,
      session: { threads: 1 },
    });
    const [before] = await losses('logits', 1);
    expect(evaluation!.loss).toBeLessThan(before! / 4);
  });

  it('refuses labels that are no classes, and lines that need more steps than there are', () => {
    const { check } = stepOf('logits');
    const of = (values: number[]) => check!({ x, labels: Tensor.int64(values, [lines, values.length / 2]) });
    expect(() => of([1, 2, 3, 0])).not.toThrow();
    expect(() => of([1, 2, 4, 0])).toThrow(/label 4 of line 1 of the batch is not one of 4 classes/);
    expect(() => of([1, 1, 2, 2, 0, 0, 0, 0])).toThrow(/line 0 of the batch needs 6 steps, and there are 5/);
  });
});
