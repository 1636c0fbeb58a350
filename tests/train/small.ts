import { Tensor } from '../../src/graph/tensor.js';
import { type MlpOptions, mlp, type Network } from '../../src/nn/index.js';
import type { Objective } from '../../src/train/objective.js';
import { regression } from '../../src/train/objective.js';
import type { StepOptions } from '../../src/train/step/options.js';
import type { Rates } from '../../src/train/step/runner.js';
import { StepRunner } from '../../src/train/step/runner.js';
import { type TrainingStep, trainingStep } from '../../src/train/step/step.js';

/** 3 → tanh 4 → 2, whose output is called `logits`. */
export const smallNetwork = (options: Partial<MlpOptions> = {}): Network =>
  mlp({ widths: [3, 4, 2], activation: 'tanh', training: true, ...options });

export const squaredError: Objective = regression({ output: 'logits' });

export type SmallBatch = Readonly<Record<'input' | 'targets', Tensor>>;

/** Batches of made-up regression data, the same for the same seed. */
export function smallBatch(seed: number, size = 5): SmallBatch {
  const wave = (n: number, shift: number) => Array.from({ length: n }, (_, i) => Math.sin(7 * i + shift));
  return {
    input: Tensor.float32([size, 3], wave(3 * size, 13 * seed)),
    targets: Tensor.float32([size, 2], wave(2 * size, 5 + 11 * seed)),
  };
}

/** Runs a step for some batches. @returns the metrics of each, and all states at the end */
export async function follow(
  step: TrainingStep,
  batches: readonly SmallBatch[],
  rates: (i: number) => Rates = () => ({ learningRate: 0.1 }),
): Promise<{ metrics: Record<string, number>[]; states: Map<string, Tensor>; runner: StepRunner }> {
  const runner = await StepRunner.create(step, { threads: 1 });
  const metrics: Record<string, number>[] = [];
  for (const [i, batch] of batches.entries()) metrics.push(await runner.run(batch, rates(i)));
  await runner.release();
  const states = new Map([...runner.states.names].map(name => [name, runner.states.read(name)]));
  return { metrics, states, runner };
}

export const smallStep = (options: Partial<StepOptions> & Pick<StepOptions, 'optimizer'>): TrainingStep =>
  trainingStep(smallNetwork(), { objective: squaredError, ...options });
