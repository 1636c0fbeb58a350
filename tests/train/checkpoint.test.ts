import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import { Tensor } from '../../src/graph/tensor.js';
import type { Checkpoint, KeptWeights } from '../../src/train/checkpoint/checkpoint.js';
import { CheckpointFolder } from '../../src/train/checkpoint/folder.node.js';
import { writeSafetensors } from '../../src/weights/safetensors.node.js';

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
    expect(await readdir(folder)).toHaveLength(1);
    await store.save({ ...checkpoint(1), progress: { ...checkpoint(1).progress, seconds: 100 } });
    await store.save(checkpoint(2));
    expect(await readdir(folder)).toHaveLength(2);
    await rm(join(folder, 'update-00000002'), { recursive: true });
    expect((await store.load())!.checkpoint.progress.seconds).toBe(100);
  });

  it('never takes one away before the next of the same number is there', async () => {
    const store = new CheckpointFolder(folder);
    await store.save(checkpoint(1));
    // Whenever the other is looked for, a whole one is found.
    let done = false;
    const saved = (async () => {
      for (let i = 0; i < 20; i++) await store.save(checkpoint(1));
      done = true;
    })();
    while (!done) {
      expect((await readdir(folder)).filter(name => name.startsWith('update-'))).not.toEqual([]);
    }
    await saved;
  });

  it.each([0, -1, 1.5, Number.NaN])('does not keep %s checkpoints', keep => {
    expect(() => new CheckpointFolder(folder, { keep })).toThrow(/keep is a number of checkpoints/);
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
    const path = await store.saveWeights('best', checkpoint(4).model, { update: '4' });
    const { weights, notes, place } = (await store.loadWeights('best'))!;
    expect([...weights.get('w')!.toFloat32()]).toEqual([4, Math.fround(-0.1)]);
    expect([notes, place]).toEqual([{ update: '4' }, path]);
    expect(path).toBe(join(folder, 'best.safetensors'));
  });

  it('notices any change of kept weights', async () => {
    const store = new CheckpointFolder(folder);
    const path = await store.saveWeights('best', checkpoint(4).model, { update: '4' });
    const bytes = await readFile(path);
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, flips) => {
          const damaged = Uint8Array.from(bytes);
          damaged[at]! ^= flips;
          await writeFile(path, damaged);
          const found = await store.loadWeights('best').catch((error: unknown) => error);
          if (found instanceof WhittleError) {
            expect(found.message).toMatch(/damaged.*best\.safetensors.*Put a copy back/s);
            return;
          }
          // Spaces of the header may become others.
          expect(found).toMatchObject({ notes: { update: '4' } });
          const { weights } = found as KeptWeights;
          expect([...weights.get('w')!.bytes()]).toEqual([...checkpoint(4).model.get('w')!.bytes()]);
        },
      ),
      { numRuns: 60 },
    );
    await writeFile(path, Buffer.concat([bytes, Buffer.from('x')]));
    await expect(store.loadWeights('best')).rejects.toThrow(/the weights are damaged/);
  });

  it('reads weights that an earlier version kept', async () => {
    const store = new CheckpointFolder(folder);
    await writeSafetensors(join(folder, 'best.safetensors'), checkpoint(4).model, { format: 'pt' });
    expect(await store.loadWeights('best')).toMatchObject({ notes: {} });
  });
});
