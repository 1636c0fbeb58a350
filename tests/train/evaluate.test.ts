import fc from 'fast-check';
import { expect, it } from 'vitest';
import { arrayDataset, type Dataset } from '../../src/datasets/index.js';
import { Tensor } from '../../src/graph/tensor.js';
import { exportForInference, gpt2 } from '../../src/nn/index.js';
import { measureModel } from '../../src/study/measure-model.js';
import { Evaluator, languageModel, StepRunner, sgd, trainingStep } from '../../src/train/index.js';

const TOKENS = 4;
const objective = languageModel({ ignoreIndex: -100 });

const texts = (labels: readonly (readonly number[])[]): Dataset =>
  arrayDataset({
    input_ids: Tensor.int64(
      labels.flatMap((_, i) => Array.from({ length: TOKENS }, (_, j) => (3 * i + 5 * j) % 10)),
      [labels.length, TOKENS],
    ),
    labels: Tensor.int64(labels.flat(), [labels.length, TOKENS]),
  });

it('a mean over labels of which some are ignored does not depend on the batch size', async () => {
  const network = gpt2({
    features: 16,
    heads: 2,
    depth: 1,
    vocabulary: 10,
    maxTokens: TOKENS,
    training: true,
    dropout: 0,
  });
  const step = trainingStep(network, { objective, optimizer: sgd() });
  const runner = await StepRunner.create(step, { threads: 1 });
  const evaluator = await Evaluator.create(step, { threads: 1 });
  const model = exportForInference(network);
  const label = fc.oneof(fc.nat(9), fc.constant(-100));
  const rows = fc.array(fc.array(label, { minLength: TOKENS, maxLength: TOKENS }), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(rows, fc.integer({ min: 1, max: 5 }), async (labels, batchSize) => {
      fc.pre(labels.flat().some(value => value >= 0));
      const data = texts(labels);
      // All in one batch: the loss itself is the mean over its labels.
      const whole = await evaluator.run(data, runner.states, { batchSize: labels.length });
      const parts = await evaluator.run(data, runner.states, { batchSize });
      expect(parts.loss).toBeCloseTo(whole.loss!, 5);
      expect(parts.perplexity).toBeCloseTo(Math.exp(whole.loss!), 4);
      expect((await measureModel(model, { objective, data, batchSize })).loss).toBeCloseTo(whole.loss!, 5);
    }),
    { numRuns: 20 },
  );
  const none = texts([Array(TOKENS).fill(-100)]);
  await expect(evaluator.run(none, runner.states)).rejects.toThrow(
    /nothing in the data set counts.*ignoreIndex/s,
  );
  await Promise.all([runner.release(), evaluator.release()]);
});
