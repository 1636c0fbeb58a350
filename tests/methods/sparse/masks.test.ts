import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../src/graph/tensor.js';
import { combine, findMethod, METHODS, readMethod } from '../../../src/methods/registry.js';
import { adamW, lamb, type TrainingMethod, type TrainingRun, train } from '../../../src/train/index.js';
import { weightAverage } from '../../../src/train/methods/average.js';
import { kept, maskNames, numbers, ones, tinySparse, watch } from './tiny.js';

/** 432 + 120 + 20 weights, none dense. */
const ALL = 572;
const make = async (text: string): Promise<TrainingMethod> => (await combine([readMethod(text)]))[0]!;

describe.each([
  ['magnitude', 'at=0.5'],
  ['gradual', 'interval=3'],
  ['iterative', 'rounds=3'],
  ['lottery', 'rate=0.6,rewind=0.25'],
  ['hybrid', 'retrain=0.5'],
  ['snip', 'samples=32'],
  ['grasp', 'samples=8'],
  ['set', 'interval=3'],
  ['dsr', 'interval=3,threshold=0.01'],
  ['sparse-momentum', 'interval=3'],
  ['rigl', 'interval=3'],
])('%s', (name, settings) => {
  it('ends at the density, exactly, with 0 in the gaps', async () => {
    for (const density of [0.1, 0.37]) {
      let last: TrainingRun | undefined;
      const { network } = await watch(
        await make(`${name}:dense=none,density=${density},${settings}`),
        run => {
          last = run;
        },
      );
      expect(kept(last!)).toBe(Math.round(density * ALL));
      for (const mask of maskNames(last!)) {
        const weight = numbers(network.tensor(mask.slice('mask/'.length)));
        const places = numbers(last!.read(mask));
        expect(weight.filter((value, i) => places[i] === 0 && value !== 0)).toEqual([]);
      }
    }
  });

  it('never moves a masked weight, and the optimizer keeps nothing for it where the paper wants so', async () => {
    const optimizers = [undefined, adamW(), lamb()];
    for (const optimizer of optimizers) {
      await watch(
        await make(`${name}:dense=none,density=0.3,${settings}`),
        run => {
          for (const mask of maskNames(run)) {
            const places = numbers(run.read(mask));
            const parameter = mask.slice('mask/'.length);
            const kept =
              name === 'sparse-momentum' ? [] : run.optimizerStates.map(state => `${state}/${parameter}`);
            for (const tensor of [parameter, ...kept]) {
              const values = numbers(run.read(tensor));
              expect(values.filter((value, i) => places[i] === 0 && value !== 0)).toEqual([]);
            }
          }
        },
        optimizer && { optimizer },
      );
    }
  });
});

it('every entry is listed once, with a paper', () => {
  expect(new Set(METHODS.map(({ name }) => name)).size).toBe(METHODS.length);
  for (const { name, paper } of METHODS) {
    expect(findMethod(name).paper).toBe(paper);
    expect(paper.url).toMatch(/^https:/);
  }
});

it('first layer and classifier stay dense unless told otherwise; biases always', async () => {
  let masks: string[] = [];
  for (const [dense, expected] of [
    ['ends', ['2.weight']],
    ['first', ['2.weight', '4.weight']],
    ['last', ['0.weight', '2.weight']],
    ['none', ['0.weight', '2.weight', '4.weight']],
  ] as const) {
    await watch(await make(`rigl:dense=${dense}`), run => (masks = maskNames(run)), { updates: 1 });
    expect(masks).toEqual(expected.map(name => `mask/${name}`));
  }
});

it('counts the whole network where asked to', async () => {
  let run: TrainingRun | undefined;
  await watch(await make('rigl:dense=none,counted=network,density=0.2'), now => (run = now), { updates: 1 });
  const biases = 12 + 10 + 2;
  expect(kept(run!) + biases).toBe(Math.round(0.2 * (ALL + biases)));
  const impossible = train(tinySparse([await make('rigl:counted=network,density=0.5')]));
  await expect(impossible).rejects.toThrow(
    /0.5 of the network's 596 parameters cannot be reached: 476 stay dense/,
  );
});

it('an average of the weights is as sparse as the weights', async () => {
  const averaged = weightAverage({ decay: 0.9 });
  let run: TrainingRun | undefined;
  const watcher: TrainingMethod = {
    name: 'watcher',
    afterStep(now) {
      run = now;
    },
  };
  const { network } = await train(
    tinySparse([averaged, await make('rigl:dense=none,density=0.2,interval=3'), watcher]),
  );
  let present: Tensor | undefined;
  for (const mask of maskNames(run!)) {
    present = network.tensor(mask.slice('mask/'.length));
    const places = numbers(run!.read(mask));
    expect(numbers(present).filter((value, i) => places[i] === 0 && value !== 0)).toEqual([]);
  }
  expect(present!.bytes()).not.toEqual(run!.read('4.weight').bytes());
});

it('logs density and movement of each layer', async () => {
  const { MemoryLog } = await import('../../../src/train/index.js');
  const log = new MemoryLog();
  await train(tinySparse([await make('rigl:density=0.25,interval=6,fraction=0.4')], { logs: [log] }));
  const steps = log.records.filter(({ kind }) => kind === 'step');
  expect(steps[0]!.values).toMatchObject({ density: 0.25, 'density/2.weight': 0.25 });
  const moves = steps.flatMap(({ update, values }) =>
    'moved/2.weight' in values && update > 1 ? [[update, values['moved/2.weight']!]] : [],
  );
  expect(moves.map(([update]) => update)).toEqual([6, 12]);
  expect(moves.every(([, share]) => share! >= 0 && share! <= 0.4)).toBe(true);
  expect(ones(moves.map(([, share]) => share!))).toBeGreaterThan(0);
});

it.each(['gradual', 'iterative', 'narrow'])('%s starts before it ends', async name => {
  await expect(make(`${name}:start=0.9,end=0.2`)).rejects.toThrow(
    `${name} cannot start at 0.9 of the training and end at 0.2`,
  );
});

it('something is kept', () => {
  for (const { name, settings } of METHODS) {
    if ('density' in settings) expect(() => readMethod(`${name}:density=0`)).toThrow(/density cannot be "0"/);
  }
});

it('sparse momentum weighs Adam’s moments as they move weights', async () => {
  // Layers whose losses differ in scale alone: Adam moves both alike, and so do weights.
  const layers = ['0.weight', '2.weight', '4.weight'];
  const counts: number[][] = [];
  for (const factor of [1, 1000]) {
    const scaled: TrainingMethod = {
      name: 'scaled',
      gradient: ({ b }, unit, gradient) => (unit.name === '2.weight' ? b.mul(gradient, factor) : gradient),
    };
    let last: TrainingRun | undefined;
    const momentum = await make('sparse-momentum:dense=none,density=0.3,interval=1');
    const watcher: TrainingMethod = {
      name: 'watcher',
      afterStep(run) {
        last = run;
      },
    };
    const optimizer = adamW({ epsilon: 1e-30 });
    await train(tinySparse([scaled, momentum, watcher], { optimizer, updates: 2 }));
    counts.push(layers.map(name => numbers(last!.read(`mask/${name}`)).filter(place => place === 1).length));
  }
  expect(counts[1]).toEqual(counts[0]);
});
