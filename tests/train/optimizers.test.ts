import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import { adam, adamW, lamb, sgd } from '../../src/train/optimizers/index.js';
import type { StepOptions } from '../../src/train/step/options.js';
import { trainingStep } from '../../src/train/step/step.js';
import { expectClose, type Numbers } from '../nn/close.js';
import { follow, smallBatch, smallNetwork, smallStep, squaredError } from './small.js';

interface Case {
  readonly initial: Record<string, Numbers>;
  readonly losses: number[];
  readonly final: Record<string, Numbers>;
}

const golden = JSON.parse(readFileSync(new URL('golden/optimizers.json', import.meta.url), 'utf8')) as {
  rates: number[];
  inputs: number[][][];
  targets: number[][][];
  cases: Record<string, Case>;
};

const all = { match: /./, weightDecay: true };
const groups = [
  { match: /^2\.weight/, learningRate: 0.5 },
  { match: /^2\.bias/, learningRate: 0.5 },
];
const momentum = 0.9;

/** How each case of the golden file is said here; `wd` and `rate` as in its script. */
const CASES: Record<
  string,
  Partial<StepOptions> & Pick<StepOptions, 'optimizer'> & { wd?: number; rate?: number }
> = {
  sgd: { optimizer: sgd() },
  'sgd, weight decay': { optimizer: sgd(), groups: [all], wd: 0.1 },
  'sgd, momentum': { optimizer: sgd({ momentum }), groups: [all], wd: 0.1 },
  'sgd, dampening': { optimizer: sgd({ momentum, dampening: 0.3 }), groups: [all], wd: 0.1 },
  'sgd, nesterov': { optimizer: sgd({ momentum, nesterov: true }), groups: [all], wd: 0.1 },
  'sgd, groups': { optimizer: sgd({ momentum }), groups, wd: 0.1 },
  'sgd, clipped by norm': { optimizer: sgd({ momentum }), clip: { norm: 0.5 } },
  'sgd, clipped by value': { optimizer: sgd({ momentum }), clip: { value: 0.05 } },
  'sgd, accumulation': { optimizer: sgd({ momentum }), groups: [all], wd: 0.1, accumulation: 2 },
  adam: { optimizer: adam(), groups: [all], wd: 0.1, rate: 0.1 },
  'adam, betas': { optimizer: adam({ betas: [0.8, 0.95], epsilon: 1e-6 }), rate: 0.1 },
  adamw: { optimizer: adamW(), groups: [all], wd: 0.1, rate: 0.1 },
  'adamw, groups': { optimizer: adamW(), groups, wd: 0.1, rate: 0.1 },
};

const batches = golden.inputs.map((input, i) => ({
  input: Tensor.float32([5, 3], input.flat()),
  targets: Tensor.float32([5, 2], golden.targets[i]!.flat()),
}));

describe('optimizers follow torch.optim', () => {
  it('in every case of the golden file', () => {
    expect(Object.keys(CASES)).toEqual(Object.keys(golden.cases));
  });

  describe.each([0, 10, 1000])('with parameters of up to %i elements end to end', flattenBelow => {
    it.each(Object.entries(CASES))('%s', async (name, { wd = 0, rate = 1, ...options }) => {
      const expected = golden.cases[name]!;
      const network = smallNetwork();
      for (const [key, { dims, data }] of Object.entries(expected.initial)) {
        network.setTensor(key, Tensor.float32(dims, data));
      }
      const step = trainingStep(network, { objective: squaredError, flattenBelow, ...options });
      const { metrics, states } = await follow(step, batches, i => ({
        learningRate: rate * golden.rates[i]!,
        weightDecay: wd,
      }));
      metrics.forEach(({ loss }, i) => expect(loss! / expected.losses[i]!).toBeCloseTo(1, 5));
      for (const [key, numbers] of Object.entries(expected.final)) {
        expectClose(states.get(key), numbers, 3e-6);
      }
    });
  });
});

describe('LAMB', () => {
  it('follows its formula in float64', async () => {
    const network = smallNetwork();
    const [beta1, beta2, epsilon, eta, lambda] = [0.9, 0.99, 1e-6, 0.05, 0.1];
    const start = new Map(
      [...network.parameters.keys()].map(name => [name, network.tensor(name).toFloat64()]),
    );
    const batch = smallBatch(1);
    const step = (count: number) =>
      follow(
        smallStep({ optimizer: lamb({ betas: [beta1, beta2], epsilon }), groups: [all] }),
        Array(count).fill(batch),
        () => ({ learningRate: eta, weightDecay: lambda }),
      );
    // The gradient is what plain descent subtracts at rate 1.
    const gradientAt = async (weights: ReadonlyMap<string, Float64Array>) => {
      const probe = smallNetwork();
      for (const [name, data] of weights)
        probe.setTensor(name, Tensor.float32(probe.tensor(name).dims, Float32Array.from(data)));
      const { states } = await follow(
        trainingStep(probe, { objective: squaredError, optimizer: sgd() }),
        [batch],
        () => ({
          learningRate: 1,
        }),
      );
      return new Map(
        [...weights].map(([name, data]) => [
          name,
          data.map((w, i) => Math.fround(w) - states.get(name)!.toFloat32()[i]!),
        ]),
      );
    };
    const norm = (x: Float64Array) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
    const weights = new Map(start);
    const m = new Map([...start].map(([name, w]) => [name, w.map(() => 0)]));
    const v = new Map([...start].map(([name, w]) => [name, w.map(() => 0)]));
    for (let t = 1; t <= 3; t++) {
      const gradients = await gradientAt(weights);
      for (const [name, w] of weights) {
        const g = gradients.get(name)!;
        m.set(
          name,
          m.get(name)!.map((x, i) => beta1 * x + (1 - beta1) * g[i]!),
        );
        v.set(
          name,
          v.get(name)!.map((x, i) => beta2 * x + (1 - beta2) * g[i]! ** 2),
        );
        const u = w.map((x, i) => {
          const first = m.get(name)![i]! / (1 - beta1 ** t);
          const second = v.get(name)![i]! / (1 - beta2 ** t);
          return first / (Math.sqrt(second) + epsilon) + lambda * x;
        });
        const ratio = norm(w) > 0 && norm(u) > 0 ? norm(w) / norm(u) : 1;
        weights.set(
          name,
          w.map((x, i) => x - eta * ratio * u[i]!),
        );
      }
    }
    const { states } = await step(3);
    for (const [name, w] of weights) {
      expectClose(states.get(name), Tensor.float32(states.get(name)!.dims, Float32Array.from(w)), 1e-4);
    }
  });
});
