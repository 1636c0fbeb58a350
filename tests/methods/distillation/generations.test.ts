import { expect, it } from 'vitest';
import { Tensor } from '../../../src/graph/tensor.js';
import { bornAgainTraining, distillation } from '../../../src/methods/distillation/index.js';
import { combine, readMethod } from '../../../src/methods/registry.js';
import { exportForInference } from '../../../src/nn/index.js';
import { cosine, type TrainingMethod } from '../../../src/train/index.js';
import { tinyNet, trainTiny } from '../quantized/tiny.js';

/** Two epochs of the tiny data, in the same order each time. */
const UPDATES = 12;
const changes = { updates: UPDATES, shuffle: false, learningRate: cosine({ base: 0.05 }) };

/** Keeps what a training holds before the steps asked for. */
function watcher(updates: readonly number[]): TrainingMethod & { seen: Map<number, Map<string, Tensor>> } {
  const seen = new Map<number, Map<string, Tensor>>();
  return {
    name: 'watcher',
    seen,
    beforeStep(run) {
      if (!updates.includes(run.update)) return;
      seen.set(run.update, new Map([...run.names].map(name => [name, run.read(name)])));
    },
  };
}

const networkWith = (states: ReadonlyMap<string, Tensor>) => {
  const network = tinyNet();
  for (const name of network.parameters.keys()) network.setTensor(name, states.get(name)!);
  return network;
};

it('is a plain training first, then one that the end of the first teaches, with new weights', async () => {
  const watched = watcher([0, UPDATES, UPDATES + 1]);
  const method = bornAgainTraining({ generations: 2, temperature: 3, alpha: 0.7 });
  const { losses, updates, network } = await trainTiny(method, { ...changes, methods: [method, watched] });
  expect(updates).toBe(2 * UPDATES);
  const plain = await trainTiny({ name: 'plain' }, changes);
  expect(losses.slice(0, UPDATES)).toEqual(plain.losses);

  const [first, second] = [watched.seen.get(0)!, watched.seen.get(UPDATES)!];
  for (const name of plain.network.parameters.keys()) {
    expect(second.get(`previous/${name}`)!.toFloat32()).toEqual(plain.network.tensor(name).toFloat32());
    expect(
      second
        .get(`momentum/${name}`)!
        .toFloat32()
        .every(x => x === 0),
    ).toBe(true);
    expect(second.get(name)!.toFloat32()).not.toEqual(first.get(name)!.toFloat32());
  }
  const taught = distillation({
    teacher: { model: exportForInference(plain.network) },
    temperature: 3,
    alpha: 0.7,
  });
  const other = await trainTiny(taught, { ...changes, network: networkWith(second) });
  other.losses.forEach((loss, i) => expect(losses[UPDATES + i]).toBeCloseTo(loss, 5));
  const [own, expected] = [network, other.network].map(n => n.tensor('hidden.weight').toFloat32());
  own!.forEach((x, i) => expect(x).toBeCloseTo(expected![i]!, 4));
});

it('weights that no initializer drew begin again as they began', async () => {
  const watched = watcher([0, UPDATES]);
  const start = tinyNet();
  const set = start.tensor('conv.weight');
  const changed = set.toFloat32().map(x => 2 * x);
  start.setTensor('conv.weight', Tensor.float32(set.dims, changed));
  const [method] = await combine([readMethod('born-again:generations=2')]);
  await trainTiny(method!, { ...changes, network: start, methods: [method!, watched] });
  const [first, second] = [watched.seen.get(0)!, watched.seen.get(UPDATES)!];
  expect(second.get('conv.weight')!.toFloat32()).toEqual(first.get('conv.weight')!.toFloat32());
  expect(second.get('hidden.weight')!.toFloat32()).not.toEqual(first.get('hidden.weight')!.toFloat32());
});

it('only the last generation can be the best', async () => {
  const { best, evaluation } = await trainTiny(bornAgainTraining({ generations: 2 }), {
    ...changes,
    evaluation: { every: 1 },
  });
  expect(best!.update).toBeGreaterThan(UPDATES);
  expect(evaluation!.loss).toBeGreaterThanOrEqual(best!.value);
});

it('refuses half a generation', () => {
  expect(() => bornAgainTraining({ generations: 1.5 })).toThrow(/whole number/);
});
