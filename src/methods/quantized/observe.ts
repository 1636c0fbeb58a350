import { typedBuilder } from '../../graph/autodiff/index.js';
import { allValues, removeDead } from '../../graph/rewrite/index.js';
import type { Tensor } from '../../graph/tensor.js';
import { cloneNetwork } from '../../nn/index.js';
import { createSession } from '../../runtime/create.js';
import type { TrainingRun } from '../../train/method.js';
import { partsOf } from '../batches.js';
import type { DenseLayer } from '../factorized/low-rank.js';
import { inputName, quantizedInputName } from './layers.js';

/** What some training examples show of a layer's input. */
export interface InputStatistics {
  readonly min: number;
  readonly max: number;
  /** The mean of |x|. */
  readonly size: number;
}

const EXAMPLES = 64;

/** Runs the network with inputs as they are on the first examples, and looks at what each layer reads. */
export async function observeInputs(
  run: TrainingRun,
  layers: readonly DenseLayer[],
): Promise<Map<DenseLayer, InputStatistics>> {
  const network = cloneNetwork(run.network);
  for (const name of run.names) if (network.parameters.has(name)) network.setTensor(name, run.read(name));
  const { graph } = network;
  for (const node of [...graph.nodes]) {
    if (node.opType === 'Dropout') graph.replaceUses(node.output, node.inputs[0]!);
  }
  const values = new Map([...allValues(graph)].map(value => [value.name, value]));
  const model = network.toModel();
  const b = typedBuilder(model);
  const statistics = layers.map(layer => {
    const x = values.get(inputName(layer))!;
    graph.replaceUses(values.get(quantizedInputName(layer))!, x);
    return [
      b.op('ReduceMin', [x], { keepdims: 0 }),
      b.op('ReduceMax', [x], { keepdims: 0 }),
      b.op('ReduceMean', [b.op('Abs', [x])], { keepdims: 0 }),
    ];
  });
  graph.outputs.length = 0;
  for (const value of statistics.flat()) graph.outputs.push(value);
  removeDead(graph);
  graph.sort();
  const session = await createSession(model, { threads: 1 });
  try {
    const count = Math.min(EXAMPLES, run.data.length);
    const batch = await run.data.batch(Array.from({ length: count }, (_, i) => i));
    const outputs = statistics.flat().map(({ name }) => name);
    const parts = partsOf(batch, network, count);
    const seen: Record<string, Tensor>[] = [];
    for (const part of parts) {
      const feeds = Object.fromEntries(session.inputs.map(({ name }) => [name, part[name]!]));
      seen.push(await session.run(feeds, outputs));
    }
    return new Map(
      layers.map((layer, i) => {
        const [min, max, size] = statistics[i]!.map(({ name }) =>
          seen.map(results => results[name]!.toFloat32()[0]!),
        );
        const mean = size!.reduce((sum, part) => sum + part, 0) / parts.length;
        return [layer, { min: Math.min(...min!), max: Math.max(...max!), size: mean }];
      }),
    );
  } finally {
    await session.release();
  }
}
