import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { CheckpointFolder, MemoryLog, type TrainOptions, train } from '../../../src/train/index.node.js';
import { tinySparse } from './tiny.js';

const make = async (text: string, changes: Partial<TrainOptions>): Promise<TrainOptions> =>
  tinySparse(await combine([readMethod(text)]), changes);

it.each([
  'gradual:dense=none,interval=3',
  'lottery:dense=none,density=0.4,rate=0.4,rewind=0.25',
  'hybrid:dense=none,density=0.3,retrain=0.5',
  'snip:dense=none',
  'set:dense=none,interval=5',
  'dsr:dense=none,interval=5,threshold=0.01',
  'sparse-momentum:dense=none,interval=5',
  'rigl:dense=none,interval=5',
])('%s goes on after interruptions as if there had been none', async text => {
  const whole = new MemoryLog();
  const uninterrupted = await train(await make(text, { logs: [whole] }));
  const folder = await mkdtemp(join(tmpdir(), 'whittle-sparse-'));
  try {
    const store = new CheckpointFolder(folder);
    const log = new MemoryLog();
    // Before the first step, in the middle, right where masks move.
    for (const stop of [0, 4, 15, 24, Number.POSITIVE_INFINITY]) {
      const abort = new AbortController();
      if (stop === 0) abort.abort();
      const { ended, network } = await train(
        await make(text, {
          logs: [log],
          checkpoints: { store, resume: true },
          signal: abort.signal,
          onProgress: ({ phase, done }) => phase === 'train' && done === stop && abort.abort(),
        }),
      );
      if (ended !== 'done') continue;
      for (const name of network.parameters.keys()) {
        expect(network.tensor(name).toFloat32()).toEqual(uninterrupted.network.tensor(name).toFloat32());
      }
    }
    const figures = ({ records }: MemoryLog) =>
      records.map(({ kind, update, values }) => ({
        kind,
        update,
        loss: values.loss,
        density: values['density/2.weight'],
      }));
    expect(figures(log).filter(({ update }) => update > 1)).toEqual(
      figures(whole).filter(({ update }) => update > 1),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
