import { expect, it } from 'vitest';
import { Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';
import { exportForInference } from '../../src/nn/index.js';
import { decodeModel, encodeToBytes } from '../../src/onnx/index.js';
import { importedNetwork, MemoryLog, sgd, train, trainable } from '../../src/train/index.js';
import { run } from '../nn/run.js';
import { brightHalves, tinyTraining } from './tiny.js';

/** Conv, BatchNormalization, Relu, Flatten, Gemm, as an exporter of an older opset writes them. */
function fileOfAModel(): Uint8Array {
  const graph = new Graph('model');
  const numbers = (dims: number[], scale: number, shift = 0) =>
    Tensor.float32(
      dims,
      Float32Array.from(
        { length: dims.reduce((a, b) => a * b, 1) },
        (_, i) => scale * Math.sin(5 * i + dims.length) + shift,
      ),
    );
  const x = graph.addInput('pixel_values', tensorType('float32', ['batch', 1, 6, 6]));
  const maps = graph.op('Conv', [x, graph.constant(numbers([4, 1, 3, 3], 0.4), 'w')], { strides: [3, 3] });
  const statistics = [numbers([4], 0.1, 1), numbers([4], 0.1), numbers([4], 0.1), numbers([4], 0.1, 1)];
  const names = ['scale', 'shift', 'mean', 'var'];
  const norm = graph.op('BatchNormalization', [
    maps,
    ...statistics.map((t, i) => graph.constant(t, names[i])),
  ]);
  const flat = graph.op('Flatten', [graph.op('Relu', [norm])]);
  const gemm = [flat, graph.constant(numbers([16, 2], 0.3), 'fc'), graph.constant(numbers([2], 0.1), 'b')];
  graph.addOutput(graph.op('Gemm', gemm), 'logits').type = tensorType('float32', ['batch', 2]);
  const model = new Model(graph);
  model.opsets.set('', 15);
  return encodeToBytes(model);
}

it('a model from a file learns, with its own names, and leaves as a model', async () => {
  const model = decodeModel(fileOfAModel());
  const network = importedNetwork(trainable(model, undefined, { batchNormalization: 'batch' }));
  const kinds = [...network.parameters.values()].map(({ name, kind }) => [name, kind]);
  expect(Object.fromEntries(kinds)).toEqual({
    w: 'weight',
    scale: 'scale',
    shift: 'bias',
    fc: 'weight',
    b: 'bias',
    mean: 'buffer',
    var: 'buffer',
  });
  const log = new MemoryLog();
  const { evaluation, network: trained } = await train(
    tinyTraining({ network, epochs: 8, methods: [], optimizer: sgd({ momentum: 0.9 }), logs: [log] }),
  );
  const losses = log.records.filter(({ kind }) => kind === 'step').map(({ values }) => values.loss!);
  expect(losses.at(-1)!).toBeLessThan(0.7 * losses[0]!);
  expect(evaluation!.accuracy).toBeGreaterThan(0.9);
  const batch = await brightHalves(60, 2).batch(Array.from({ length: 60 }, (_, i) => i));
  const { logits } = await run(exportForInference(trained), { pixel_values: batch.pixel_values! });
  const scores = logits!.toFloat32();
  const right = batch
    .labels!.toNumbers()
    .filter((label, i) => Number(scores[2 * i + 1]! > scores[2 * i]!) === label);
  expect(right.length / 60).toBeCloseTo(evaluation!.accuracy!, 10);
});
