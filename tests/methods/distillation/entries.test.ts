import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '../../../src/graph/model.js';
import { hints } from '../../../src/methods/distillation/index.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { exportForInference, mlp, type Network, Scope } from '../../../src/nn/index.js';
import { encodeToBytes } from '../../../src/onnx/index.js';
import { classification, type TrainingMethod, train } from '../../../src/train/index.js';
import { options, trainTiny } from '../quantized/tiny.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-teacher-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Writes a teacher. @returns its path */
async function written(name: string, model: Model): Promise<string> {
  const path = join(folder, `${name}.onnx`);
  await writeFile(path, encodeToBytes(model));
  return path;
}

const make = async (text: string): Promise<TrainingMethod> => (await combine([readMethod(text)]))[0]!;

/** What the first step of the tiny network costs with a method. */
const firstLoss = async (method: TrainingMethod): Promise<number> =>
  (await trainTiny(method, { updates: 1 })).losses[0]!;

const teacher = (changes: Partial<Parameters<typeof mlp>[0]> = {}): Network =>
  mlp({ widths: [36, 16, 2], inputShape: [1, 6, 6], seed: 1, ...changes });

/** The teacher's scores, softened by another operator at its end. */
function ending(opType: 'Softmax' | 'LogSoftmax'): Model {
  const network = teacher();
  const { graph } = network;
  const scores = graph.outputs[0]!;
  scores.name = graph.freshName('scores');
  graph.outputs.length = 0;
  network.output('probabilities', new Scope(network).op(opType, [scores], { axis: 1 }));
  return exportForInference(network);
}

it.each(['Softmax', 'LogSoftmax'] as const)(
  'a teacher that ends in %s teaches what its scores do',
  async end => {
    const plain = await written('plain', exportForInference(teacher()));
    const soft = await written(end, ending(end));
    const text = (path: string) => `hinton:teacher=${path},temperature=3,alpha=0.7`;
    expect(await firstLoss(await make(text(soft)))).toBeCloseTo(await firstLoss(await make(text(plain))), 5);
  },
);

it('a file for batches of one, under a name with commas, teaches batches', async () => {
  const network = teacher();
  const one = exportForInference(network);
  for (const { type } of [...one.graph.inputs, ...one.graph.outputs]) {
    if (type?.kind === 'tensor') expect(type.shape?.[0]).toBe('batch');
  }
  const whole = await firstLoss(await make(`hinton:teacher=${await written('plain', one)}`));
  for (const value of [...one.graph.inputs, ...one.graph.outputs]) {
    const { type } = value;
    if (type?.kind === 'tensor') value.type = { ...type, shape: [1, ...type.shape!.slice(1)] };
  }
  const path = await written('one, two', one);
  expect(await firstLoss(await make(`hinton:teacher=${path},temperature=4`))).toBe(whole);
});

it('inputs are named where they differ', async () => {
  const network = teacher();
  network.graph.inputs[0]!.name = 'pixels';
  const path = await written('renamed', exportForInference(network));
  expect(await firstLoss(await make(`hinton:teacher=${path},inputs=pixels=input`))).toBe(
    await firstLoss(await make(`hinton:teacher=${await written('plain', exportForInference(teacher()))}`)),
  );
  await expect(make(`hinton:teacher=${path},inputs=pixels`)).rejects.toThrow(
    /"pixels" does not say which input/,
  );
});

it('hints first, then soft targets', async () => {
  const model = exportForInference(teacher());
  const text = `fitnets:teacher=${await written('plain', model)},hint=${hidden()},guided=hidden,stage=0.5`;
  const { losses } = await trainTiny(await make(text), { updates: 8 });
  const method = hints({ teacher: { model }, hint: hidden(), guided: 'hidden', stage: 0.5 });
  expect(losses).toEqual((await trainTiny(method, { updates: 8 })).losses);
});

/** The teacher's only activation. */
function hidden(): string {
  const { graph } = exportForInference(teacher());
  return [...graph.nodes].find(({ opType }) => opType === 'Relu')!.output.name;
}

describe('a teacher that does not fit', () => {
  const refused = async (text: string, message: RegExp) => {
    const method = await make(text);
    await expect(train(options([method], { objective: classification() }))).rejects.toThrow(message);
  };

  it('has other classes', async () => {
    const path = await written('three', exportForInference(teacher({ widths: [36, 16, 3] })));
    await refused(`hinton:teacher=${path}`, /scores 3 classes, the student 2[\s\S]*three\.onnx/);
  });

  it('reads something else', async () => {
    const path = await written(
      'wide',
      exportForInference(teacher({ widths: [48, 2], inputShape: [3, 4, 4] })),
    );
    await refused(
      `hinton:teacher=${path}`,
      /teacher reads float32 \[batch, 3, 4, 4\], and the student's input is float32 \[16, 1, 6, 6\]/,
    );
  });

  it('has no such output, or value to be matched, or the student no such layer', async () => {
    const path = await written('plain', exportForInference(teacher()));
    await refused(`hinton:teacher=${path},output=scores`, /no output "scores".*logits/);
    await refused(`hinton:teacher=${path},logits=scores`, /the network has no output "scores"/);
    await refused(`fitnets:teacher=${path},hint=x,guided=hidden`, new RegExp(`activations are ${hidden()}`));
    await refused(`fitnets:teacher=${path},hint=${hidden()},guided=x`, /no layer "x".*hidden/);
  });

  it('is not there, or none', async () => {
    await expect(make('hinton')).rejects.toThrow(/hinton needs a teacher/);
    await expect(make(`hinton:teacher=${join(folder, 'gone.onnx')}`)).rejects.toThrow(/gone\.onnx/);
    await expect(make(`hinton:teacher=${folder}`)).rejects.toThrow(/whittle-teacher/);
  });
});

it('methods that do not combine are told before a file is read', async () => {
  await expect(
    combine(['hinton:teacher=gone.onnx', 'snapshot'].map(text => readMethod(text))),
  ).rejects.toThrow(/hinton and snapshot do not combine: both decide the teacher/);
});
