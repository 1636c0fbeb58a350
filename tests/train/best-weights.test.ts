import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Network } from '../../src/nn/index.js';
import { CheckpointFolder, type TrainOptions, train } from '../../src/train/index.node.js';
import { openSafetensors, writeSafetensors } from '../../src/weights/safetensors.node.js';
import { tinyTraining } from './tiny.js';

let folder: string;
let best: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-best-'));
  best = join(folder, 'best.safetensors');
});
afterEach(() => rm(folder, { recursive: true }));

/** With the lowest loss as its goal. */
const options = (changes: Partial<TrainOptions> = {}): TrainOptions =>
  tinyTraining({
    epochs: 3,
    methods: [],
    evaluation: {},
    earlyStopping: { patience: 50 },
    checkpoints: { store: new CheckpointFolder(folder, { keep: 9 }), every: 5, resume: true },
    ...changes,
  });

const aborted = (): Partial<TrainOptions> => ({ signal: AbortSignal.abort() });

const bytesOf = (network: Network): unknown =>
  [...network.parameters.keys()].map(name => [name, [...network.tensor(name).bytes()]]);

it('damaged best weights are not trained weights', async () => {
  await train(options());
  const bytes = await readFile(best);
  for (const back of [1, 2]) bytes[bytes.length - back]! ^= 0x40;
  await writeFile(best, bytes);
  await expect(train(options())).rejects.toThrow(
    /the weights are damaged.*best\.safetensors.*Put a copy back, or resume without earlyStopping/s,
  );
  const { earlyStopping: _, ...without } = options();
  expect((await train(without)).ended).toBe('done');
});

it('nor are the last ones where the best are gone, or those of an earlier evaluation', async () => {
  await train(options({ epochs: 1 }));
  const first = await readFile(best);
  const { best: found } = await train(options());
  expect(found!.update).toBeGreaterThan(9);
  await writeFile(best, first);
  await expect(train(options())).rejects.toThrow(
    `the best weights are of update 9, and should be of update ${found!.update}`,
  );
  await rm(best);
  await expect(train(options())).rejects.toThrow(
    /the best weights, of update \d+, are gone.*update-000000.*Put a copy back, or resume without/s,
  );
});

it('best weights found after the last checkpoint are the best, and the end is the same', async () => {
  const { checkpoints: _, ...unsaved } = options();
  const whole = await train(unsaved);
  const saved = await train(options());
  // As after a kill between the last evaluation and its checkpoint.
  const [update] = [saved.best!.update];
  for (const name of await readdir(folder)) {
    if (name.startsWith('update-') && Number(name.slice(7)) >= update)
      await rm(join(folder, name), { recursive: true });
  }
  const stopped = await train(options(aborted()));
  expect(stopped.ended).toBe('aborted');
  expect(stopped.updates).toBeLessThan(update);
  expect(stopped.best).toEqual(saved.best);
  expect(bytesOf(stopped.network)).toEqual(bytesOf(saved.network));
  const resumed = await train(options());
  expect(resumed.best).toEqual(whole.best);
  expect(bytesOf(resumed.network)).toEqual(bytesOf(whole.network));
});

it('best weights of an earlier version are those that its checkpoint speaks of', async () => {
  const whole = await train(options());
  const { tensors } = openSafetensors(best);
  await writeSafetensors(`${best}.old`, tensors, { format: 'pt' });
  await rename(`${best}.old`, best);
  const again = await train(options());
  expect(again.best).toEqual(whole.best);
  expect(bytesOf(again.network)).toEqual(bytesOf(whole.network));
});

it('a training that is stopped where it was saved saves no second checkpoint', async () => {
  const first = await train(options({ epochs: 1 }));
  const before = await readFile(join(first.checkpoint!, 'progress.json'), 'utf8');
  const stopped = await train(options(aborted()));
  expect(stopped.checkpoint).toBe(first.checkpoint);
  expect(await readFile(join(first.checkpoint!, 'progress.json'), 'utf8')).toBe(before);
});
