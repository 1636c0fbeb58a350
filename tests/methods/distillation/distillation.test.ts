import { expect, it } from 'vitest';
import type { Model } from '../../../src/graph/model.js';
import { Tensor } from '../../../src/graph/tensor.js';
import {
  bornAgain,
  distillation,
  hints,
  mutualLearning,
  snapshotDistillation,
  teacherSequences,
} from '../../../src/methods/distillation/index.js';
import { exportForInference, linear, mlp, Network, Scope } from '../../../src/nn/index.js';
import { decodeModel, encodeToBytes } from '../../../src/onnx/index.js';
import { createSession } from '../../../src/runtime/index.js';
import {
  classification,
  cosine,
  exportTrained,
  StepRunner,
  sgd,
  type TrainingMethod,
  type TrainingRun,
  train,
  trainingStep,
} from '../../../src/train/index.js';
import { options, tinyNet, trainTiny } from '../quantized/tiny.js';
import { images } from '../sparse/tiny.js';
import golden from './golden/distillation.json' with { type: 'json' };

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

it.each(golden)('computes the loss of PyTorch at T = $temperature, α = $alpha', async wanted => {
  const { temperature, alpha, student, teacher, labels } = wanted;
  const dims = [student.length, student[0]!.length];
  // The student's only parameters are its scores, and a step of 1 moves them by the gradient.
  const network = new Network({ training: true });
  const scope = new Scope(network);
  const x = network.input('x', 'float32', ['batch', 1]);
  const scores = scope.parameter('scores', dims, {
    kind: 'bias',
    initializer: () => Float32Array.from(student.flat()),
  });
  network.output('logits', scope.op('Add', [x, scores]));
  const fixed = new Network();
  const own = new Scope(fixed);
  const y = fixed.input('x', 'float32', ['batch', 1]);
  fixed.output('out', own.op('Add', [y, own.constant('scores', () => Tensor.float32(dims, teacher.flat()))]));
  const method = distillation({ teacher: { model: fixed.toModel() }, temperature, alpha });
  const step = trainingStep(network, {
    objective: classification(),
    optimizer: sgd(),
    methods: [method],
  });
  const runner = await StepRunner.create(step, { threads: 1 });
  try {
    const batch = {
      x: Tensor.float32([dims[0]!, 1], Array(dims[0]).fill(0)),
      labels: Tensor.int64(labels),
    };
    const metrics = await runner.run(batch, { learningRate: 1, weightDecay: 0 });
    expect(metrics.loss).toBeCloseTo(wanted.loss, 5);
    expect(metrics.distillation).toBeCloseTo(wanted.divergence, 5);
    const moved = runner.states.read('scores').toFloat32();
    const before = student.flat();
    for (const [i, gradient] of wanted.gradient.flat().entries()) {
      expect(before[i]! - moved[i]!).toBeCloseTo(gradient, 5);
    }
  } finally {
    await runner.release();
  }
});

/** A teacher that knows the task, as it would come out of a file. */
async function trainedTeacher(): Promise<Model> {
  const network = mlp({ widths: [36, 16, 2], inputShape: [1, 6, 6], training: true, seed: 1 });
  const result = await train(options([], { network, updates: 60 }));
  return decodeModel(encodeToBytes(exportForInference(result.network)));
}

it('learns from a file alone, and leaves nothing of it in the export', async () => {
  const model = await trainedTeacher();
  const method = distillation({ teacher: { model }, alpha: 1, temperature: 2 });
  const { losses, network, evaluation } = await trainTiny(method, { updates: 40 });
  expect(mean(losses.slice(-5))).toBeLessThan(0.5 * mean(losses.slice(0, 5)));
  expect(evaluation!.accuracy).toBeGreaterThan(0.9);
  expect([...network.parameters.keys()]).toEqual([...tinyNet().parameters.keys()]);
  const names = [...exportTrained(network, [method]).graph.initializers].map(({ name }) => name);
  expect(names.some(name => name.startsWith('teacher'))).toBe(false);
});

it('says what a teacher lacks', async () => {
  const model = await trainedTeacher();
  const build = (method: TrainingMethod) =>
    trainingStep(tinyNet(), { objective: classification(), optimizer: sgd(), methods: [method] });
  expect(() => build(distillation({ teacher: { model, output: 'scores' } }))).toThrow(/no output "scores"/);
  const two = mlp({ widths: [36, 2], inputShape: [1, 6, 6] });
  two.output('sum', new Scope(two).op('Add', [two.outputs[0]!, two.input('other', 'float32', ['batch', 2])]));
  expect(() => build(distillation({ teacher: { model: two.toModel() } }))).toThrow(
    /nothing for an input of the teacher/,
  );
});

it('matches features first, then soft targets', async () => {
  const model = await trainedTeacher();
  const hidden = [...model.graph.nodes].find(({ opType }) => opType === 'Relu')!.output.name;
  const seen: { hint: number; loss: number; distillation: number }[] = [];
  const method = hints({ teacher: { model }, hint: hidden, guided: 'hidden', stage: 0.5 });
  const watcher: TrainingMethod = {
    name: 'watcher',
    afterStep({ metrics }) {
      seen.push(metrics as (typeof seen)[number]);
    },
  };
  const { network } = await train(options([method, watcher], { updates: 40 }));
  for (const { hint, loss } of seen.slice(0, 20)) expect(loss).toBeCloseTo(hint, 6);
  expect(mean(seen.slice(15, 20).map(({ hint }) => hint))).toBeLessThan(
    0.7 * mean(seen.slice(0, 5).map(({ hint }) => hint)),
  );
  expect(Math.abs(seen[25]!.loss - seen[25]!.hint)).toBeGreaterThan(1e-3);
  const { graph } = exportTrained(network, [method, watcher]);
  expect([...graph.initializers].some(({ name }) => name.startsWith('regressor'))).toBe(false);
});

it('peers teach each other, and the first is exported', async () => {
  const method = mutualLearning({ peers: 3 });
  const { losses, network, evaluation } = await trainTiny(method, { updates: 40 });
  expect(mean(losses.slice(-5))).toBeLessThan(0.5 * mean(losses.slice(0, 5)));
  expect(evaluation!.accuracy).toBeGreaterThan(0.9);
  const first = tinyNet();
  const weights = ['', 'peer1/', 'peer2/'].map(peer => network.tensor(`${peer}hidden.weight`).toFloat32());
  expect(weights[1]).not.toEqual(weights[0]);
  expect(weights[2]).not.toEqual(weights[1]);
  const { graph } = exportTrained(network, [method]);
  expect(graph.outputs.map(({ name }) => name)).toEqual(['logits']);
  expect([...graph.initializers].length).toBe(exportForInference(first).graph.initializers.size);
});

it('the loss of peers is that of the formula', async () => {
  const method = mutualLearning({ peers: 2, temperature: 2 });
  const step = trainingStep(tinyNet(), { objective: classification(), optimizer: sgd(), methods: [method] });
  const runner = await StepRunner.create(step, { threads: 1 });
  const batch = await images(8, 4).batch([0, 1, 2, 3, 4, 5, 6, 7]);
  const labels = batch.labels!.toNumbers();
  try {
    const scores = await Promise.all(
      ['', 'peer1/'].map(async peer => {
        const network = tinyNet();
        for (const name of network.parameters.keys()) {
          network.setTensor(name, runner.states.read(`${peer}${name}`));
        }
        const session = await createSession(exportForInference(network), { threads: 1 });
        const out = (await session.run({ input: batch.input! })).logits!.toFloat64();
        await session.release();
        return Array.from({ length: 8 }, (_, i) => [out[2 * i]!, out[2 * i + 1]!]);
      }),
    );
    const softmax = (row: readonly number[], temperature: number): number[] => {
      const e = row.map(v => Math.exp(v / temperature));
      return e.map(v => v / (e[0]! + e[1]!));
    };
    const entropy = (of: number[][]) => mean(of.map((row, i) => -Math.log(softmax(row, 1)[labels[i]!]!)));
    const divergence = (self: number[][], other: number[][]) =>
      mean(
        self.map((row, i) => {
          const [p, q] = [softmax(other[i]!, 2), softmax(row, 2)];
          return 4 * p.reduce((sum, v, c) => sum + v * Math.log(v / q[c]!), 0);
        }),
      );
    const [a, b] = scores as [number[][], number[][]];
    const expected = entropy(a) + entropy(b) + divergence(a, b) + divergence(b, a);
    const { loss } = await runner.run(batch, { learningRate: 0.1, weightDecay: 0 });
    expect(loss).toBeCloseTo(expected, 5);
  } finally {
    await runner.release();
  }
});

it('takes a snapshot at the end of each cycle, and learns from it in the next', async () => {
  const kept: { update: number; weight: Float32Array; teacher: Float32Array; rate: number }[] = [];
  const watcher: TrainingMethod = {
    name: 'watcher',
    afterStep(run: TrainingRun) {
      const read = (name: string) => run.read(name).toFloat32();
      kept.push({
        update: run.update,
        weight: read('hidden.weight'),
        teacher: read('snapshot/hidden.weight'),
        rate: run.learningRate,
      });
    },
  };
  const { evaluation } = await train(
    options([snapshotDistillation({ cycles: 3 }), watcher], {
      updates: 30,
      learningRate: cosine({ base: 0.1 }),
    }),
  );
  expect(evaluation!.loss).toBeLessThan(0.6);
  for (const { update, teacher } of kept) {
    const last = Math.floor(update / 10) * 10;
    if (last === 0 || update === 30) continue;
    expect(teacher).toEqual(kept[last - 1]!.weight);
  }
  for (const start of [0, 10, 20]) expect(kept[start]!.rate).toBeCloseTo(0.1, 8);
  expect(kept[9]!.rate).toBeLessThan(0.02);
});

it('cycles of a training that they do not divide are of one length but for an update', async () => {
  const rates: number[] = [];
  const watcher: TrainingMethod = {
    name: 'watcher',
    afterStep({ learningRate }: TrainingRun) {
      rates.push(learningRate);
    },
  };
  const run = (cycles: number) =>
    train(
      options([snapshotDistillation({ cycles }), watcher], {
        updates: 10,
        learningRate: cosine({ base: 0.1 }),
      }),
    );
  await run(4);
  expect(rates.flatMap((rate, update) => (rate === 0.1 ? [update] : []))).toEqual([0, 3, 5, 8]);
  // The network that is kept stands at the end of a cycle.
  expect(rates[9]).toBeLessThan(rates[8]!);
  await expect(run(11)).rejects.toThrow(/10 updates are no 11 cycles/);
});

it.each(['hinton', 'snapshot', 'mutual'])('%s sees the scores behind a softmax', async kind => {
  const model = await trainedTeacher();
  const methodOf = (): TrainingMethod => {
    if (kind === 'hinton') return distillation({ teacher: { model, output: 'logits' }, logits: 'out' });
    return kind === 'mutual'
      ? mutualLearning({ logits: 'out' })
      : snapshotDistillation({ cycles: 2, logits: 'out' });
  };
  const losses = [false, true].map(async softmax => {
    const network = new Network({ training: true, seed: 2 });
    const scope = new Scope(network);
    const x = scope.op('Flatten', [network.input('input', 'float32', ['batch', 1, 6, 6])]);
    const logits = linear(scope.at('head'), x, { inFeatures: 36, outFeatures: 2 });
    network.output('out', softmax ? scope.op('Softmax', [logits]) : logits);
    const seen: number[] = [];
    const watcher: TrainingMethod = {
      name: 'watcher',
      afterStep: ({ metrics }) => void seen.push(metrics.loss!, metrics.accuracy!),
    };
    const objective = classification({ logits: 'out' });
    await train(options([methodOf(), watcher], { network, objective, updates: 4 }));
    return seen;
  });
  const [plain, behind] = await Promise.all(losses);
  behind!.forEach((value, i) => expect(value).toBeCloseTo(plain![i]!, 5));
});

it('peers learn by the objective of the training', async () => {
  const smoothing = 0.4;
  const step = trainingStep(tinyNet(), {
    objective: classification({ labelSmoothing: smoothing }),
    optimizer: sgd(),
    methods: [mutualLearning()],
  });
  const plain = trainingStep(tinyNet(), {
    objective: classification({ labelSmoothing: smoothing }),
    optimizer: sgd(),
  });
  const batch = await images(8, 4).batch([0, 1, 2, 3, 4, 5, 6, 7]);
  const runner = await StepRunner.create(step, { threads: 1 });
  const alone = await StepRunner.create(plain, { threads: 1 });
  try {
    const names = [...tinyNet().parameters.keys()];
    // A peer that is the same network: no divergence, and the loss twice.
    for (const name of names) runner.states.write(`peer1/${name}`, runner.states.read(name));
    const { loss: one } = await alone.run(batch, { learningRate: 0 });
    const { loss: two } = await runner.run(batch, { learningRate: 0 });
    expect(two).toBeCloseTo(2 * one!, 5);
  } finally {
    await Promise.all([runner.release(), alone.release()]);
  }
});

it('generations teach each other', async () => {
  const results = await bornAgain(
    generation => options([], { seed: generation, updates: 20, learningRate: 0.05 }),
    { generations: 2, alpha: 0.5 },
  );
  expect(results.map(({ ended }) => ended)).toEqual(['done', 'done']);
  expect(results[1]!.network.tensor('hidden.weight').toFloat32()).not.toEqual(
    results[0]!.network.tensor('hidden.weight').toFloat32(),
  );
});

it('writes the sequences that a language model gives', async () => {
  // Scores that make each token's successor certain: t → t + 1 modulo 5.
  const network = new Network();
  const scope = new Scope(network);
  const ids = network.input('input_ids', 'int64', ['batch', 'tokens']);
  const table = scope.constant('table', () =>
    Tensor.float32(
      [5, 5],
      Array.from({ length: 25 }, (_, i) => ((Math.floor(i / 5) + 1) % 5 === i % 5 ? 50 : 0)),
    ),
  );
  network.output('logits', scope.op('Gather', [table, ids]));
  const data = await teacherSequences(network.toModel(), {
    prompts: [[0], [3], [4]],
    tokens: 6,
    batchSize: 2,
  });
  const { input_ids, labels } = await data.batch([0, 2]);
  expect(input_ids!.toNumbers()).toEqual([0, 1, 2, 3, 4, 4, 0, 1, 2, 3]);
  expect(labels!.toNumbers()).toEqual([1, 2, 3, 4, 0, 0, 1, 2, 3, 4]);
  await expect(teacherSequences(network.toModel(), { prompts: [[0], [1, 2]], tokens: 4 })).rejects.toThrow(
    /one length/,
  );
});
