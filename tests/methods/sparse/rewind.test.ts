import { expect, it } from 'vitest';
import type { Tensor } from '../../../src/graph/tensor.js';
import { hybridTickets } from '../../../src/methods/sparse/hybrid.js';
import { lottery } from '../../../src/methods/sparse/lottery.js';
import { clearGaps } from '../../../src/methods/sparse/select.js';
import {
  adamW,
  cosine,
  MemoryLog,
  type TrainingMethod,
  type TrainingRun,
  train,
  weightAverage,
} from '../../../src/train/index.js';
import { tinyNetwork } from '../../train/tiny.js';
import { images, kept, tinySparse } from './tiny.js';

const ticket = (changes: Partial<Parameters<typeof lottery>[0]> = {}): TrainingMethod =>
  lottery({
    density: 0.5,
    counted: 'layers',
    dense: 'none',
    rate: 0.3,
    rewind: 0.25,
    scope: 'global',
    ...changes,
  });

it('rewinding restores the exact bytes: weights, running statistics, momentum, averages', async () => {
  const { brightHalves } = await import('../../train/tiny.js');
  let early: Map<string, Tensor> | undefined;
  const rewound: number[] = [];
  const snapshot = (run: TrainingRun): Map<string, Tensor> =>
    new Map([...run.names].filter(name => !name.startsWith('mask/')).map(name => [name, run.read(name)]));
  const watcher: TrainingMethod = {
    name: 'watcher',
    afterStep(run) {
      if (run.update === 6) early = snapshot(run);
    },
    beforeStep(run) {
      if (run.update !== 24 && run.update !== 42) return;
      rewound.push(kept(run));
      const now = snapshot(run);
      expect([...now.keys()]).toEqual([...early!.keys()]);
      expect([...now.keys()]).toEqual(
        expect.arrayContaining(['conv.weight', 'bn.running_mean', 'momentum/fc.weight', 'average/fc.bias']),
      );
      for (const [name, tensor] of early!) {
        const mask = ['conv.weight', 'fc.weight'].find(
          weight => name === weight || name === `momentum/${weight}`,
        );
        const expected = mask
          ? clearGaps(tensor.toFloat32().slice(), run.read(`mask/${mask}`).toFloat32())
          : tensor.toFloat32();
        expect(now.get(name)!.toFloat32()).toEqual(expected);
      }
    },
  };
  const options = tinySparse([weightAverage({ decay: 0.9 }), ticket(), watcher], {
    network: tinyNetwork(),
    data: { train: brightHalves(96, 1) },
  });
  const { updates } = await train(options);
  // 24, and two levels of 18: 0.7 of the weights, then half of them.
  expect(updates).toBe(60);
  const all = 72 + 64;
  expect(rewound).toEqual([Math.round(0.7 * all), all / 2]);
});

it('a rewound training of the same batches is the same training, schedule and corrections of Adam included', async () => {
  const log = new MemoryLog();
  await train(
    tinySparse([ticket({ density: 1 })], {
      optimizer: adamW(),
      // Slow, so that losses differ to the end.
      learningRate: cosine({ base: 1e-3 }),
      shuffle: false,
      data: { train: images(16, 1) },
      logs: [log],
    }),
  );
  const records = log.records.filter(({ kind }) => kind === 'step').map(({ values }) => values);
  expect(records).toHaveLength(24 + 18);
  const figures = (from: number) =>
    records.slice(from, from + 18).map(({ loss, learning_rate }) => [loss, learning_rate]);
  expect(figures(24)).toEqual(figures(6));
  expect(new Set(figures(24).map(([loss]) => loss)).size).toBe(18);
});

it('the best weights are those of the last level, not of a dense one', async () => {
  let last: TrainingRun | undefined;
  const watcher: TrainingMethod = {
    name: 'watcher',
    afterStep(run) {
      last = run;
    },
  };
  const { best, network } = await train(tinySparse([ticket(), watcher], { earlyStopping: { patience: 99 } }));
  expect(best!.update).toBeGreaterThan(42);
  const zeros = [...network.parameters.keys()].flatMap(name =>
    name.endsWith('weight')
      ? network
          .tensor(name)
          .toNumbers()
          .filter(value => value === 0)
      : [],
  );
  expect(zeros.length).toBe(572 - kept(last!));
});

it('hybrid tickets: dense, then sparse with the schedule of the start and densities that fall with depth', async () => {
  const log = new MemoryLog();
  const counts: number[] = [];
  const method = hybridTickets({ density: 0.5, counted: 'layers', dense: 'none', retrain: 0.5 });
  const watcher: TrainingMethod = { name: 'watcher', afterStep: run => void counts.push(kept(run)) };
  await train(tinySparse([method, watcher], { logs: [log] }));
  expect(counts).toEqual([...Array(24).fill(572), ...Array(12).fill(286)]);
  const steps = log.records.filter(({ kind }) => kind === 'step').map(({ values }) => values);
  expect(steps[24]!.learning_rate).toBe(steps[0]!.learning_rate);
  expect(steps[30]!.learning_rate).toBe(steps[12]!.learning_rate);
  const densities = ['0', '2', '4'].map(layer => steps[24]![`density/${layer}.weight`]!);
  // Shares of 12, 6 and 2 for 432, 120 and 20 weights; 286 of 572 are kept.
  const unit = 286 / (12 * 432 + 6 * 120 + 2 * 20);
  [12, 6, 2].forEach((share, i) => {
    expect(Math.abs(densities[i]! - share * unit)).toBeLessThan(1 / 20);
  });
});
