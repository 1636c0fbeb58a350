import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Tensor } from '../../src/graph/tensor.js';
import type { Checkpoint } from '../../src/train/checkpoint/checkpoint.js';
import { CheckpointFolder } from '../../src/train/checkpoint/folder.node.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-checkpoints-'));
});
afterEach(() => rm(folder, { recursive: true }));

const checkpoint = (update: number): Checkpoint => ({
  model: new Map([['w', Tensor.float32([2], [update, -0.1])]]),
  states: new Map([['momentum/w', Tensor.float32([2], [1e-40, update])]]),
  progress: {
    format: 1,
    seed: 3,
    runner: { update, batch: 2 * update, lossScale: [65536, 7] },
    loader: { order: { seed: 3, epoch: 1, position: 4 }, batch: 2 * update, length: 9, batchSize: 2 },
    seconds: 1.5,
    saved: { best: { bad: 1 } },
  },
});

describe('a folder of checkpoints', () => {
  it('gives back what was saved, to the last bit', async () => {
    const store = new CheckpointFolder(join(folder, 'new', 'folder'));
    expect(await store.load()).toBeUndefined();
    const place = await store.save(checkpoint(5));
    const found = await store.load();
    expect(found!.place).toBe(place);
    expect(found!.checkpoint.progress).toMatchObject(checkpoint(5).progress);
    const bits = (tensors: ReadonlyMap<string, Tensor>) =>
      [...tensors].map(([name, tensor]) => [name, tensor.dims, [...tensor.bytes()]]);
    expect(bits(found!.checkpoint.model)).toEqual(bits(checkpoint(5).model));
    expect(bits(found!.checkpoint.states)).toEqual(bits(checkpoint(5).states));
  });

  it('keeps the newest ones, by number', async () => {
    const store = new CheckpointFolder(folder, { keep: 2 });
    for (const update of [9, 100_000_000, 10]) await store.save(checkpoint(update));
    expect((await readdir(folder)).sort()).toEqual(['update-00000010', 'update-100000000']);
    expect((await store.load())!.checkpoint.progress.runner.update).toBe(100_000_000);
  });

  it('replaces one of the same number', async () => {
    const store = new CheckpointFolder(folder);
    await store.save(checkpoint(1));
    await store.save({ ...checkpoint(1), progress: { ...checkpoint(1).progress, seconds: 99 } });
    expect((await store.load())!.checkpoint.progress.seconds).toBe(99);
  });

  it('does not see what a kill left behind, and removes it later', async () => {
    const store = new CheckpointFolder(folder);
    await store.save(checkpoint(1));
    const left = join(folder, '.update-00000002.0123456789ab.tmp');
    await mkdir(left);
    await writeFile(join(left, 'model.safetensors'), 'half');
    expect((await store.load())!.checkpoint.progress.runner.update).toBe(1);
    await store.save(checkpoint(3));
    expect(await readdir(folder)).not.toContain('.update-00000002.0123456789ab.tmp');
  });

  it('keeps the earlier ones when the disk is full', async () => {
    const store = new CheckpointFolder(folder);
    await store.save(checkpoint(1));
    const full = new Tensor('float32', [1], {
      byteLength: 4,
      read: () => {
        throw Object.assign(new Error('write'), { code: 'ENOSPC' });
      },
    });
    const failing = { ...checkpoint(2), states: new Map([['momentum/w', full]]) };
    await expect(store.save(failing)).rejects.toThrow(
      /update-00000002 could not be saved: the disk is full.*intact/s,
    );
    expect(await readdir(folder)).toEqual(['update-00000001']);
    expect((await store.load())!.checkpoint.progress.runner.update).toBe(1);
  });

  it.each([
    [
      'a flipped bit',
      'states.safetensors',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 4])]),
      /not what was written/,
    ],
    ['a file cut off', 'model.safetensors', (bytes: Buffer) => bytes.subarray(0, -1), /not what was written/],
    ['no JSON', 'progress.json', () => Buffer.from('{"format":'), /no JSON/],
    ['other JSON', 'progress.json', () => Buffer.from('{"format":1,"seed":"x"}'), /counts are no numbers/],
    ['a later format', 'progress.json', () => Buffer.from('{"format":2}'), /format 2/],
  ])('says that it is damaged, and what to go on from: %s', async (_, file, damage, message) => {
    const store = new CheckpointFolder(folder);
    await store.save(checkpoint(1));
    const place = await store.save(checkpoint(2));
    const path = join(place, file);
    await writeFile(path, damage(await readFile(path)));
    await expect(store.load()).rejects.toThrow(message);
    await expect(store.load()).rejects.toThrow(/go on from .*update-00000001/);
    await rm(place, { recursive: true });
    expect((await store.load())!.checkpoint.progress.runner.update).toBe(1);
  });

  it('names a missing file', async () => {
    const store = new CheckpointFolder(folder);
    await rm(join(await store.save(checkpoint(1)), 'model.safetensors'));
    await expect(store.load()).rejects.toThrow(/no such file.*model\.safetensors.*There is no other/s);
  });

  it('keeps weights beside the checkpoints', async () => {
    const store = new CheckpointFolder(folder);
    expect(await store.loadWeights('best')).toBeUndefined();
    await store.saveWeights('best', checkpoint(4).model);
    expect([...(await store.loadWeights('best'))!.get('w')!.toFloat32()]).toEqual([4, Math.fround(-0.1)]);
    await appendFile(join(folder, 'best.safetensors'), 'x');
    await expect(store.loadWeights('best')).rejects.toThrow(/broken safetensors/);
  });
});
