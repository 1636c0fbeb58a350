/**
 * What it saves to lay small parameters end to end: a ResNet-20 on tiny images, so that a step is mostly overhead,
 * with AdamW, against the same step with every parameter a tensor of its own.
 * `npx jiti bench/flat-parameters.ts [--only NAME] [--json]`; NAME is the largest size that is still laid end to end.
 */
import { Tensor } from '../src/graph/index.js';
import { cifarResNet } from '../src/nn/index.js';
import { adamW, classification, StepRunner, trainingStep } from '../src/train/index.js';
import { inTurns, runBenchmark, time } from './harness.js';

const network = cifarResNet({ depth: 20, width: 0.5, channels: 1, imageSize: 8, training: true });
const batch = {
  pixel_values: Tensor.float32([4, 1, 8, 8], new Float32Array(256).fill(0.3)),
  labels: Tensor.int64([1, 2, 3, 4]),
};

const runner = (flattenBelow: number): Promise<StepRunner> =>
  StepRunner.create(
    trainingStep(network, {
      objective: classification(),
      optimizer: adamW(),
      sizes: { batch: 4 },
      flattenBelow,
    }),
    { threads: 1 },
  );

const step = (which: StepRunner): Promise<number> =>
  time(() => which.run(batch, { learningRate: 1e-3, weightDecay: 0.01 }));

await runBenchmark(
  [256, 1024, 16384].map(below => ({
    name: String(below),
    async run() {
      const [ours, theirs] = [await runner(below), await runner(0)];
      const times = await inTurns(
        () => step(ours),
        () => step(theirs),
      );
      const states = { states: ours.step.states.length, peerStates: theirs.step.states.length };
      await Promise.all([ours.release(), theirs.release()]);
      return { ...times, peer: 'a tensor each', extra: states };
    },
  })),
);
