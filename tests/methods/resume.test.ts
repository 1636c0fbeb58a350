import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { combine, readMethod } from '../../src/methods/registry.js';
import { exportForInference, mlp, toInference } from '../../src/nn/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import {
  CheckpointFolder,
  cosine,
  exportTrained,
  MemoryLog,
  type TrainOptions,
  train,
} from '../../src/train/index.node.js';
import { logits, options } from './quantized/tiny.js';
import { images } from './sparse/tiny.js';

/** Holds a teacher. */
let folder: string;
/** Name of its only activation. */
let hidden: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-combined-'));
  const model = exportForInference(mlp({ widths: [36, 5, 2], inputShape: [1, 6, 6], seed: 1 }));
  hidden = [...model.graph.nodes].find(({ opType }) => opType === 'Relu')!.output.name;
  await writeFile(join(folder, 'teacher.onnx'), encodeToBytes(model));
});
afterAll(() => rm(folder, { recursive: true }));

const make = (texts: readonly string[]) => {
  const filled = texts.map(text =>
    text.replace('TEACHER', join(folder, 'teacher.onnx')).replace('HIDDEN', hidden),
  );
  return combine(filled.map(text => readMethod(text)));
};

const training = async (texts: readonly string[], changes: Partial<TrainOptions>) =>
  options(await make(texts), { updates: 16, learningRate: cosine({ base: 0.05 }), ...changes });

class Killed extends Error {}

const CASES: readonly (readonly string[])[] = [
  ['qat:bits=4'],
  ['qat:bits=8,inputs=float32'],
  ['lsq'],
  ['dorefa'],
  ['xnor'],
  ['abc-net'],
  ['hinton:teacher=TEACHER'],
  ['fitnets:teacher=TEACHER,hint=HIDDEN,guided=hidden,stage=0.5'],
  ['mutual'],
  ['snapshot:cycles=2'],
  ['born-again:generations=2'],
  ['low-rank:rule=rank,amount=3', 'qat:bits=4'],
  ['qat:bits=4', 'hinton:teacher=TEACHER'],
  ['rigl:dense=none,density=0.5,interval=3', 'hinton:teacher=TEACHER'],
  ['low-rank:rule=rank,amount=3', 'rigl:dense=none,density=0.5,interval=3', 'mutual'],
  ['lottery:dense=none,density=0.5,rate=0.5', 'lsq', 'hinton:teacher=TEACHER'],
  ['clustered:bits=3', 'snapshot:cycles=2'],
];

it.each(CASES.map(methods => ({ methods, names: methods.join(' with ') })))(
  '$names: killed, it goes on from its last checkpoint to the same weights and file',
  async ({ methods }) => {
    const whole = new MemoryLog();
    const uninterrupted = await train(await training(methods, { logs: [whole] }));
    const place = await mkdtemp(join(folder, 'checkpoints-'));
    const checkpoints = { store: new CheckpointFolder(place), every: 4, resume: true };
    const log = new MemoryLog();
    // Two updates after a checkpoint, nothing is saved any more.
    const dies: TrainOptions['onProgress'] = ({ phase, done }) => {
      if (phase === 'train' && done === 10) throw new Killed();
    };
    await expect(train(await training(methods, { checkpoints, onProgress: dies }))).rejects.toThrow(Killed);
    const options = await training(methods, { checkpoints, logs: [log] });
    const { network, evaluation } = await train(options);
    expect(evaluation).toEqual(uninterrupted.evaluation);
    for (const name of network.parameters.keys()) {
      expect(network.tensor(name).toFloat32()).toEqual(uninterrupted.network.tensor(name).toFloat32());
    }
    const losses = ({ records }: MemoryLog) =>
      records.filter(({ kind, update }) => kind === 'step' && update > 8).map(({ values }) => values.loss);
    expect(losses(log)).toEqual(losses(whole));
    expect(new Set(losses(log)).size).toBeGreaterThan(3);

    // What is exported by all methods together computes what was trained.
    const { input } = await images(12, 9).batch(Array.from({ length: 12 }, (_, i) => i));
    const exported = await logits(exportTrained(network, options.methods), input!, 'none');
    const trained = await logits(toInference(network).toModel(), input!, 'none');
    const scale = Math.max(...trained.map(Math.abs));
    exported.forEach((value, i) => {
      expect(Math.abs(value - trained[i]!) / scale).toBeLessThan(1e-4);
    });
  },
);
