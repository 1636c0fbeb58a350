/** A study of a second: which half is brighter, told by networks that are hardly networks. */
import { writeFileSync } from 'node:fs';
import { arrayDataset, type Dataset } from 'whittle-nn/datasets';
import { Tensor } from 'whittle-nn/graph';
import { mlp } from 'whittle-nn/nn';
import { Random } from 'whittle-nn/random';
import { defineStudy } from 'whittle-nn/study';
import {
  type ConfiguredTraining,
  choice,
  classification,
  integer,
  sgd,
  type TrainingMethod,
  type ValuesOf,
  withWeights,
} from 'whittle-nn/train';

const settings = {
  updates: integer(40, { min: 1 }),
  narrow: choice('trains', ['trains', 'throws', 'crashes']),
};
type Values = ValuesOf<typeof settings>;

function halves(length: number, seed: number): Dataset {
  const random = new Random(seed);
  const input = Float32Array.from({ length: 4 * length }, () => random.uniform());
  const labels = Array.from({ length }, (_, i) =>
    input[4 * i]! + input[4 * i + 1]! > input[4 * i + 2]! + input[4 * i + 3]! ? 1 : 0,
  );
  return arrayDataset({ input: Tensor.float32([length, 4], input), labels: Tensor.int64(labels) });
}

/** Says where it is, and waits there to be killed: STALL is a file, an arm, an update, milliseconds for each step. */
const stall = (arm: string): TrainingMethod => ({
  name: 'stall',
  async afterStep({ update }) {
    const [file, where, when, wait] = process.env.STALL?.split(',') ?? [];
    if (file === undefined || arm !== where || update < Number(when)) return;
    if (update === Number(when)) writeFileSync(file, String(process.pid));
    await new Promise(resolve => setTimeout(resolve, Number(wait)));
  },
});

const training = (arm: string, width: number, { updates }: Values, seed: number): ConfiguredTraining => ({
  network: mlp({ widths: [4, width, 2], training: true, seed }),
  data: { train: halves(64, seed), test: halves(100, 99) },
  objective: classification(),
  optimizer: sgd({ momentum: 0.9 }),
  methods: [stall(arm)],
  learningRate: 0.05,
  batchSize: 16,
  updates,
  evaluation: { every: 5 },
  checkpointEvery: 10,
  seed,
});

export default defineStudy({
  title: 'Bright halves',
  question: 'How wide must a network be to see which half is brighter?',
  notes: ['It is made up.'],
  settings,
  seeds: 2,
  metric: { figure: 'accuracy', betterIs: 'higher' },
  reference: 'wide',
  plot: { x: { figure: 'parameters' }, log: true },
  arms: {
    wide: {
      label: 'Wide',
      train: (values, seed) => training('wide', 16, values, seed),
      measure: ({ network }) => ({ largest: Math.max(...network!.tensor('0.weight').toFloat32()) }),
    },
    narrow: {
      label: 'Narrow',
      train(values, seed) {
        if (values.narrow === 'throws') throw new Error('no such width');
        if (values.narrow === 'crashes') process.kill(process.pid, 'SIGKILL');
        return training('narrow', 2, values, seed);
      },
    },
    rounded: {
      label: 'Wide, then rounded',
      needs: 'wide',
      async derive(_, __, needed) {
        const wide = await needed('wide');
        const model = await wide.model();
        const [first] = [...model.graph.initializers].filter(({ shape }) => shape?.length === 2);
        const weight = first!.initializer as Tensor;
        const rounded = weight.toFloat32().map(value => Math.round(4 * value) / 4);
        const network = await wide.network();
        return {
          model: withWeights(model, { [first!.name]: Tensor.float32(weight.dims, rounded) }),
          figures: { parameters: network.parameterCount(), before: wide.figures.accuracy! },
        };
      },
    },
  },
});
