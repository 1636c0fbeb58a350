import { describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import type { Value } from '../../src/graph/value.js';
import { batchNorm, dropout } from '../../src/nn/index.js';
import type { TrainingMethod } from '../../src/train/method.js';
import { weightAverage } from '../../src/train/methods/average.js';
import type { Objective } from '../../src/train/objective.js';
import { adamW, type Optimizer, sgd } from '../../src/train/optimizers/index.js';
import type { ParameterGroup } from '../../src/train/step/groups.js';
import { StepRunner } from '../../src/train/step/runner.js';
import type { StateSlot } from '../../src/train/step/state.js';
import { trainingStep } from '../../src/train/step/step.js';
import { expectClose } from '../nn/close.js';
import { layerNetwork } from '../nn/run.js';
import { follow, smallBatch, smallNetwork, smallStep, squaredError } from './small.js';

const batches = [1, 2, 3, 4].map(seed => smallBatch(seed));
const meanOf = (output: string): Objective => ({
  build: context => ({ loss: context.b.op('ReduceMean', [context.output(output)], { keepdims: 0 }) }),
});
const joined = (parts: readonly Tensor[]): Tensor =>
  Tensor.float32(
    [parts.reduce((sum, { dims }) => sum + dims[0]!, 0), ...parts[0]!.dims.slice(1)],
    parts.flatMap(part => [...part.toFloat32()]),
  );

describe('a step', () => {
  it('does the same, to the last bit, however parameters are laid out', async () => {
    const optimizer = adamW();
    const [apart, together] = await Promise.all(
      [0, 1000].map(flattenBelow => follow(smallStep({ optimizer, flattenBelow }), batches)),
    );
    expect(apart!.metrics).toEqual(together!.metrics);
    for (const [name, tensor] of apart!.states) expect(together!.states.get(name)).toEqual(tensor);
  });

  it('adds momentum in the product that makes the gradient, where nothing comes between', async () => {
    const run = async (flattenBelow: number) => {
      const step = smallStep({ optimizer: sgd({ momentum: 0.9 }), weightDecay: false, flattenBelow });
      const fused = [...step.model.graph.nodes].filter(node => node.opType === 'Gemm' && node.inputs[2]);
      const withMomentum = fused.filter(node => node.inputs[2]!.name.startsWith('momentum/'));
      return { names: withMomentum.map(node => node.inputs[2]!.name), ...(await follow(step, batches)) };
    };
    const [fused, plain] = [await run(0), await run(1000)];
    expect(fused.names.sort()).toEqual(['momentum/0.weight', 'momentum/2.weight']);
    expect(plain.names).toEqual([]);
    for (const [name, tensor] of plain.states) expectClose(fused.states.get(name), tensor, 1e-6);
  });

  it('leaves the network as it was', () => {
    const network = smallNetwork();
    const { size } = network.graph.nodes;
    trainingStep(network, { objective: squaredError, optimizer: sgd() });
    expect(network.graph.nodes.size).toBe(size);
    expect(network.graph.inputs.map(input => input.name)).toEqual(['input']);
    expect(network.tensor('0.weight').dims).toEqual([4, 3]);
  });

  it('takes batches of other sizes while it runs', async () => {
    const sizes = [5, 2, 7, 5].map((size, i) => smallBatch(i, size));
    const { metrics } = await follow(smallStep({ optimizer: sgd() }), sizes);
    for (const { loss } of metrics) expect(loss).toBeGreaterThan(0);
  });

  it('averages accumulated gradients: two halves are one batch', async () => {
    const options = { optimizer: sgd({ momentum: 0.9 }), clip: { norm: 0.3 } };
    const pairs = [0, 2].map(i => ({
      input: joined([batches[i]!.input, batches[i + 1]!.input]),
      targets: joined([batches[i]!.targets, batches[i + 1]!.targets]),
    }));
    const whole = await follow(smallStep(options), pairs);
    const halves = await follow(smallStep({ ...options, accumulation: 2 }), batches);
    expect(halves.runner.update).toBe(2);
    for (const [name, tensor] of whole.states) expectClose(halves.states.get(name), tensor, 1e-5);
  });

  it('is not changed by a loss scale that is a power of two', async () => {
    const optimizer = sgd({ momentum: 0.9 });
    const plain = await follow(smallStep({ optimizer }), batches);
    const scaled = await follow(smallStep({ optimizer, lossScaling: true }), batches);
    for (const [name, tensor] of plain.states) expect(scaled.states.get(name)).toEqual(tensor);
  });

  it('leaves out an update that overflows, and lowers the scale', async () => {
    const runner = await StepRunner.create(smallStep({ optimizer: sgd(), lossScaling: true }), {
      threads: 1,
    });
    const before = runner.states.read('0.weight');
    const large = { ...batches[0]!, targets: Tensor.float32([5, 2], Array(10).fill(1e36)) };
    const { gradient_norm } = await runner.run(large, { learningRate: 1 });
    expect(Number.isFinite(gradient_norm)).toBe(false);
    expect(runner.update).toBe(0);
    expect(runner.progress.lossScale).toEqual([32768, 0]);
    expect(runner.states.read('0.weight')).toEqual(before);
    await runner.run(batches[0]!, { learningRate: 1 });
    expect(runner.update).toBe(1);
    expect(runner.states.read('0.weight')).not.toEqual(before);
    await runner.release();
  });

  it('trains only what is trainable', async () => {
    const network = smallNetwork();
    network.parameter('0.weight').trainable = false;
    const { states } = await follow(
      trainingStep(network, { objective: squaredError, optimizer: sgd() }),
      batches,
    );
    expect([...states.keys()].sort()).toEqual(['0.bias', '2.bias', '2.weight']);
  });

  it('lets a pass rewrite graph and layout of states', async () => {
    const plain = await follow(smallStep({ optimizer: sgd(), flattenBelow: 0 }), batches);
    const seen: string[] = [];
    const reversed = (tensor: Tensor): Tensor =>
      Tensor.float32(tensor.dims, tensor.toFloat32().slice().reverse());
    const step = smallStep({
      optimizer: sgd(),
      flattenBelow: 0,
      passes: [
        ({ model, states }) => {
          const { graph } = model;
          const index = (size: number) => Tensor.int64(Array.from({ length: size }, (_, i) => size - 1 - i));
          const flip = (value: Value, dims: readonly number[]): Value =>
            graph.op('Gather', [value, graph.constant(index(dims[0]!))], { axis: 0 });
          const changed = states.map((slot): StateSlot => {
            if (slot.dims.length !== 1) return slot;
            seen.push(slot.input);
            const input = graph.inputs.find(({ name }) => name === slot.input)!;
            const uses = input.consumers;
            const flipped = flip(input, slot.dims);
            flipped.type = input.type;
            for (const node of uses) node.inputs.forEach((x, i) => x === input && node.setInput(i, flipped));
            const at = graph.outputs.findIndex(({ name }) => name === slot.output);
            const back = flip(graph.outputs[at]!, slot.dims);
            back.type = input.type;
            graph.outputs[at] = back;
            return { ...slot, output: back.name, layout: { encode: reversed, decode: reversed } };
          });
          return { model, states: changed };
        },
      ],
    });
    const { states, metrics } = await follow(step, batches);
    expect(seen).toEqual(['0.bias', '2.bias']);
    expect(metrics).toEqual(plain.metrics);
    for (const [name, tensor] of plain.states) expect(states.get(name)).toEqual(tensor);
  });
});

describe('BatchNorm', () => {
  it('moves its running statistics as its formula says', async () => {
    const network = layerNetwork(
      [3],
      (scope, x) => batchNorm(scope.at('bn'), x, { features: 3, momentum: 0.25 }),
      {
        training: true,
      },
    );
    const x = [1, 2, 3, 5, 0, 1, 0, 4, 8];
    const step = trainingStep(network, {
      objective: meanOf('y'),
      optimizer: sgd(),
    });
    const runner = await StepRunner.create(step, { threads: 1 });
    await runner.run({ x: Tensor.float32([3, 3], x) }, { learningRate: 0.1 });
    const column = (j: number) => [0, 1, 2].map(i => x[3 * i + j]!);
    const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
    const variance = (values: number[]) => mean(values.map(v => (v - mean(values)) ** 2));
    const read = (name: string) => [...runner.states.read(name).toFloat32()];
    [0, 1, 2].forEach(j => {
      expect(read('bn.running_mean')[j]).toBeCloseTo(0.25 * mean(column(j)), 5);
      expect(read('bn.running_var')[j]).toBeCloseTo(0.75 + 0.25 * variance(column(j)), 5);
    });
    await runner.release();
  });
});

describe('dropout', () => {
  const run = async (seed: number) => {
    const network = layerNetwork([64], (scope, x) => dropout(scope, x, 0.5), { training: true });
    network.addParameter('p', [1], { kind: 'weight', initializer: () => new Float32Array(1) });
    const step = trainingStep(network, {
      objective: meanOf('y'),
      optimizer: sgd(),
    });
    const runner = await StepRunner.create(step, { threads: 1, seed });
    const ones = Tensor.float32(
      [1, 64],
      Array.from({ length: 64 }, (_, i) => 2 ** (i % 16)),
    );
    const losses: number[] = [];
    for (let i = 0; i < 4; i++) losses.push((await runner.run({ x: ones }, { learningRate: 0 })).loss!);
    await runner.release();
    return losses;
  };

  it('drops differently at each step, and the same with the same seed', async () => {
    const losses = await run(1);
    expect(new Set(losses).size).toBe(4);
    expect(await run(1)).toEqual(losses);
    expect(await run(2)).not.toEqual(losses);
  });
});

describe('methods', () => {
  /** Weight decay, written as a method. */
  const decay = (strength: number): TrainingMethod => ({
    name: 'decay',
    penalty: ({ b, units }, unit) => b.mul(units.get(unit)!, strength),
  });

  it.each([
    ['coupled', sgd({ momentum: 0.9 })],
    ['decoupled', adamW()],
  ] satisfies [string, Optimizer][])('a penalty is %s as weight decay is', async (_, optimizer) => {
    const groups = [{ match: /./, weightDecay: true }];
    const usual = await follow(smallStep({ optimizer, groups }), batches, () => ({
      learningRate: 0.1,
      weightDecay: 0.2,
    }));
    const method = await follow(smallStep({ optimizer, weightDecay: false, methods: [decay(0.2)] }), batches);
    for (const [name, tensor] of usual.states) expectClose(method.states.get(name), tensor, 1e-6);
  });

  it('a term of the loss is differentiated', async () => {
    const ridge: TrainingMethod = {
      name: 'ridge',
      loss(context, loss) {
        const { b } = context;
        return b.add(loss, b.mul(b.sum(b.square(context.value('0.weight')), [0, 1]), 0.05));
      },
    };
    const groups = [
      { match: /^0\.weight/, weightDecay: 1 },
      { match: /./, weightDecay: 0 },
    ];
    const usual = await follow(smallStep({ optimizer: sgd(), groups }), batches, () => ({
      learningRate: 0.1,
      weightDecay: 0.1,
    }));
    const method = await follow(smallStep({ optimizer: sgd(), methods: [ridge] }), batches);
    for (const [name, tensor] of usual.states) expectClose(method.states.get(name), tensor, 1e-6);
  });

  it('a mask that is a state keeps weights at zero, and can be changed between steps', async () => {
    const mask: TrainingMethod = {
      name: 'mask',
      separates: ({ kind }) => kind === 'weight',
      updated(context, unit, next) {
        if (unit.parameters[0]!.kind !== 'weight') return next;
        const ones = (name: string) =>
          Tensor.float32(context.initial(name).dims, new Float32Array(context.initial(name).size).fill(1));
        return context.b.mul(next, context.state('mask', unit, ones).value);
      },
    };
    const runner = await StepRunner.create(
      smallStep({ optimizer: sgd({ momentum: 0.9 }), methods: [mask] }),
      {
        threads: 1,
      },
    );
    await runner.run(batches[0]!, { learningRate: 0.1 });
    const bits = Array.from({ length: 12 }, (_, i) => i % 3 && 1);
    runner.states.write('mask/0.weight', Tensor.float32([4, 3], bits));
    for (const batch of batches) await runner.run(batch, { learningRate: 0.1 });
    expect([...runner.states.read('mask/0.weight').toFloat32()]).toEqual(bits);
    const weights = [...runner.states.read('0.weight').toFloat32()];
    expect(weights.map(w => (w === 0 ? 0 : 1))).toEqual(bits);
    await runner.release();
  });

  it('the weight average follows its formula', async () => {
    const decayRate = 0.6;
    const methods = [weightAverage({ decay: decayRate })];
    const runner = await StepRunner.create(smallStep({ optimizer: sgd(), methods }), { threads: 1 });
    let expected = [...runner.states.read('0.weight').toFloat32()];
    for (const [i, batch] of batches.entries()) {
      await runner.run(batch, { learningRate: 0.5 });
      const share = Math.min(decayRate, (2 + i) / (11 + i));
      const weights = runner.states.read('0.weight').toFloat32();
      expected = expected.map((a, j) => share * a + (1 - share) * weights[j]!);
    }
    expectClose(runner.states.read('average/0.weight'), Tensor.float32([4, 3], expected), 1e-6);
    await runner.release();
  });
});

describe('bad input', () => {
  it.each([0, -1, 1e-60, 1e60, Number.NaN, Number.POSITIVE_INFINITY])('a limit of %s', limit => {
    const optimizer = sgd();
    for (const name of ['norm', 'value'] as const) {
      expect(() => smallStep({ optimizer, clip: { [name]: limit } })).toThrow(
        `clip.${name} must be a positive number, not ${limit}`,
      );
    }
  });

  it('factors of groups and rates that are no numbers', async () => {
    const groups = (group: Omit<ParameterGroup, 'match'>) => () =>
      smallStep({ optimizer: sgd(), groups: [{ match: /weight/ }, { match: /bias/, ...group }] });
    expect(groups({ learningRate: Number.NaN })).toThrow(
      /learningRate of parameter group 1 must be .* not NaN/,
    );
    expect(groups({ weightDecay: -1 })).toThrow(/weightDecay of parameter group 1 .* not -1/);
    const runner = await StepRunner.create(smallStep({ optimizer: sgd() }), { threads: 1 });
    await runner.run(batches[0]!, { learningRate: 0.1 });
    for (const rate of [Number.NaN, Number.NEGATIVE_INFINITY, 1e39]) {
      await expect(runner.run(batches[1]!, { learningRate: rate })).rejects.toThrow(
        `the learning rate of update 2 is ${rate}`,
      );
      await expect(runner.run(batches[1]!, { learningRate: 0.1, weightDecay: rate })).rejects.toThrow(
        `the weight decay of update 2 is ${rate}`,
      );
    }
    expect(runner.update).toBe(1);
    await runner.release();
  });

  it('names what does not fit', async () => {
    expect(() =>
      trainingStep(smallNetwork({ training: false }), { objective: squaredError, optimizer: sgd() }),
    ).toThrow(/inference form.*training: true/);
    expect(() => smallStep({ optimizer: sgd(), sizes: { bach: 3 } })).toThrow(
      /no input has a dimension "bach".*batch/,
    );
    expect(() => smallStep({ optimizer: sgd(), accumulation: 0.5 })).toThrow(/accumulation/);
    expect(() =>
      smallStep({ optimizer: sgd(), objective: { build: context => ({ loss: context.output('logits') }) } }),
    ).toThrow(/loss must be one number/);
    expect(() =>
      smallStep({ optimizer: sgd(), objective: { build: context => ({ loss: context.output('logit') }) } }),
    ).toThrow(/no output "logit".*logits/);
    const runner = await StepRunner.create(smallStep({ optimizer: sgd() }), { threads: 1 });
    const { input, targets } = batches[0]!;
    await expect(runner.run({ input }, { learningRate: 1 })).rejects.toThrow(/lacks "targets"/);
    const wrong = Tensor.float32([5, 4], new Float32Array(20));
    await expect(runner.run({ input: wrong, targets }, { learningRate: 1 })).rejects.toThrow(
      /"input" expects float32/,
    );
    expect(() => runner.states.write('0.weight', wrong)).toThrow(/0\.weight/);
    expect(() => runner.states.read('3.weight')).toThrow(/3\.weight/);
    await runner.release();
  });
});

it('a step gives the same losses on WebAssembly as on the CPU', async () => {
  const losses = await Promise.all(
    (['cpu', 'wasm'] as const).map(async provider => {
      const runner = await StepRunner.create(smallStep({ optimizer: adamW() }), { provider, threads: 1 });
      const found: number[] = [];
      for (const batch of batches) found.push((await runner.run(batch, { learningRate: 0.05 })).loss!);
      await runner.release();
      return found;
    }),
  );
  losses[0]!.forEach((loss, i) => expect(losses[1]![i]! / loss).toBeCloseTo(1, 5));
});
