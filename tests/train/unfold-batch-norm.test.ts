import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Graph, Model, Tensor, tensorType, type Value } from '../../src/graph/index.js';
import { cifarResNet, exportForInference, type Network, toInference } from '../../src/nn/index.js';
import { decodeModel, encodeToBytes } from '../../src/onnx/index.js';
import {
  exportTrained,
  importedNetwork,
  isWeight,
  MemoryLog,
  sgd,
  train,
  trainable,
  unfoldBatchNorm,
} from '../../src/train/index.js';
import { expectClose } from '../nn/close.js';
import { run } from '../nn/run.js';
import { brightHalves, tinyTraining } from './tiny.js';

const count = (model: Model, opType: string): number =>
  [...model.graph.nodes].filter(node => node.opType === opType).length;

const numbers = (dims: number[], shift = 0): Tensor =>
  Tensor.float32(
    dims,
    Float32Array.from(
      { length: dims.reduce((a, b) => a * b, 1) },
      (_, i) => Math.sin(5 * i + dims.length) + shift,
    ),
  );

/** The file of a ResNet-8 that has seen a few batches, with BatchNorm folded. */
async function resNetFile(): Promise<Uint8Array> {
  const network = cifarResNet({
    depth: 8,
    width: 0.25,
    channels: 1,
    imageSize: 6,
    classes: 2,
    shortcut: 'conv',
    training: true,
  });
  const { network: trained } = await train(
    tinyTraining({ network, epochs: 1, methods: [], optimizer: sgd(), learningRate: { at: () => 0.02 } }),
  );
  return encodeToBytes(exportForInference(trained));
}

const data = brightHalves(64, 3);
const batch = (from: number, to: number) => data.batch(Array.from({ length: to - from }, (_, i) => from + i));

describe('a ResNet from a file, BatchNorm folded', () => {
  it('gets it back without changing, learns by batches, and leaves as a folded file', async () => {
    const bytes = await resNetFile();
    const original = decodeModel(bytes);
    expect([count(original, 'Conv'), count(original, 'BatchNormalization')]).toEqual([9, 0]);
    const batches = [await batch(0, 24), await batch(24, 64)];
    const open = await unfoldBatchNorm(original, batches);
    expect([count(open, 'Conv'), count(open, 'BatchNormalization')]).toEqual([9, 9]);
    expect(encodeToBytes(original)).toEqual(bytes);

    // Inference form: on images that nothing was measured on, too.
    const { pixel_values } = await brightHalves(20, 4).batch(Array.from({ length: 20 }, (_, i) => i));
    const feeds = { pixel_values: pixel_values! };
    const { logits: before } = await run(original, feeds);
    expectClose((await run(open, feeds)).logits, before!, 1e-4);

    const network = importedNetwork(trainable(open, isWeight, { batchNormalization: 'batch' }));
    const kinds = [...network.parameters].filter(([name]) => name.startsWith('layer2.0.shortcut.0.'));
    expect(Object.fromEntries(kinds.map(([name, { kind }]) => [name, kind]))).toEqual({
      'layer2.0.shortcut.0.weight': 'weight',
      'layer2.0.shortcut.0.norm.weight': 'scale',
      'layer2.0.shortcut.0.norm.bias': 'bias',
      'layer2.0.shortcut.0.norm.running_mean': 'buffer',
      'layer2.0.shortcut.0.norm.running_var': 'buffer',
    });
    const moving = 'layer1.0.conv1.norm.running_mean';
    const measured = network.tensor(moving).toNumbers();
    const log = new MemoryLog();
    const { network: trained } = await train(
      tinyTraining({
        network,
        epochs: 6,
        methods: [],
        transforms: [],
        optimizer: sgd({ momentum: 0.9 }),
        logs: [log],
      }),
    );
    const losses = log.records.filter(({ kind }) => kind === 'step').map(({ values }) => values.loss!);
    const mean = (part: number[]): number => part.reduce((sum, loss) => sum + loss, 0) / part.length;
    expect(mean(losses.slice(-5))).toBeLessThan(0.8 * mean(losses.slice(0, 5)));
    expect(trained.tensor(moving).toNumbers()).not.toEqual(measured);

    const exported = decodeModel(encodeToBytes(exportTrained(trained)));
    expect([count(exported, 'Conv'), count(exported, 'BatchNormalization')]).toEqual([9, 0]);
    const { logits: after } = await run(exported, feeds);
    expectClose(after, (await run(toInference(trained).toModel(), feeds)).logits!, 1e-4);
    expect(Math.abs(after!.toNumbers()[0]! - before!.toNumbers()[0]!)).toBeGreaterThan(1e-3);
  });
});

/** x (images, 2, …) → Conv 3 → Relu → y, with what `between` puts between the two. */
function oneConvolution(bias: boolean, between = (_: Graph, conv: Value): Value => conv): Model {
  const graph = new Graph('model');
  const x = graph.addInput('x', tensorType('float32', ['batch', 2, 'height', 'width']));
  const inputs = [x, graph.constant(numbers([3, 2, 1, 1]), 'conv.weight')];
  if (bias) inputs.push(graph.constant(numbers([3], 4), 'conv.bias'));
  graph.addOutput(graph.op('Relu', [between(graph, graph.op('Conv', inputs))]), 'y');
  const model = new Model(graph);
  model.opsets.set('', 12);
  return model;
}

const tensorOf = (model: Model, name: string): Tensor => {
  const value = [...model.graph.initializers].find(initializer => initializer.name === name);
  return value?.initializer as Tensor;
};

describe('unfolding BatchNorm', () => {
  it('measures mean and variance over all images and positions, whatever the sizes of batches and images', async () => {
    const image = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 1, max: 4 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(image, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: -50, max: 50 }),
        async (sizes, shift) => {
          const model = oneConvolution(true);
          const batches = sizes.map(([images, height, width]) => ({
            x: numbers([images, 2, height, width], shift),
          }));
          const open = await unfoldBatchNorm(model, batches);
          // The outputs of the convolution by its formula, in float64.
          const [weight, bias] = [tensorOf(model, 'conv.weight'), tensorOf(model, 'conv.bias')].map(t =>
            t.toNumbers(),
          );
          const outputs: number[][] = [[], [], []];
          for (const { x } of batches) {
            const [images, , height, width] = x.dims as [number, number, number, number];
            const pixels = x.toNumbers();
            for (let n = 0; n < images; n++) {
              for (let p = 0; p < height * width; p++) {
                const [a, b] = [0, 1].map(c => pixels[(2 * n + c) * height * width + p]!) as [number, number];
                outputs.forEach((values, c) => {
                  values.push(weight![2 * c]! * a + weight![2 * c + 1]! * b + bias![c]!);
                });
              }
            }
          }
          const part = (name: string): number[] => tensorOf(open, `conv.norm.${name}`).toNumbers();
          outputs.forEach((values, c) => {
            const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
            const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
            expect(part('bias')[c]).toBeCloseTo(mean, 4);
            expect(part('running_mean')[c]).toBeCloseTo(mean - bias![c]!, 4);
            expect(part('running_var')[c]! / variance).toBeCloseTo(1, 5);
            expect(part('weight')[c]! ** 2 / (variance + 1e-5)).toBeCloseTo(1, 5);
          });
          const feeds = batches[0]!;
          expectClose((await run(open, feeds)).y, (await run(model, feeds)).y!, 1e-4);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('leaves alone what has no bias, its own BatchNormalization, or one position', async () => {
    const batches = [{ x: numbers([4, 2, 3, 3]), labels: numbers([4]) }];
    const none = /no convolution of the model can have had/;
    await expect(unfoldBatchNorm(oneConvolution(false), batches)).rejects.toThrow(none);
    const normalized = oneConvolution(true, (graph, conv) =>
      graph.op('BatchNormalization', [
        conv,
        ...Array.from({ length: 4 }, () => graph.constant(numbers([3], 2))),
      ]),
    );
    await expect(unfoldBatchNorm(normalized, batches)).rejects.toThrow(none);
    const head = oneConvolution(true, (graph, conv) => graph.op('Flatten', [conv]));
    await expect(unfoldBatchNorm(head, batches)).rejects.toThrow(none);
    await expect(unfoldBatchNorm(oneConvolution(true), [{ x: numbers([4, 2, 1, 1]) }])).rejects.toThrow(none);
    await expect(unfoldBatchNorm(oneConvolution(true), [])).rejects.toThrow(/at least one batch/);
    const broken = [{ x: Tensor.float32([1, 2, 1, 2], [1, Number.NaN, 1, 1]) }];
    await expect(unfoldBatchNorm(oneConvolution(true), broken)).rejects.toThrow(/NaN or infinite/);
    await expect(unfoldBatchNorm(oneConvolution(true), [{ y: numbers([1]) }])).rejects.toThrow(
      /"x" is not fed/,
    );
  });

  it('takes what the caller chooses, without a bias too', async () => {
    const model = oneConvolution(false);
    const open = await unfoldBatchNorm(model, [{ x: numbers([4, 2, 3, 3]) }], { select: () => true });
    expect(count(open, 'BatchNormalization')).toBe(1);
    const feeds = { x: numbers([2, 2, 2, 5], 1) };
    expectClose((await run(open, feeds)).y, (await run(model, feeds)).y!, 1e-5);
  });

  it('normalizes by the batch afterwards, with every channel at the scale that it had', async () => {
    const x = numbers([4, 2, 3, 3]);
    const open = await unfoldBatchNorm(oneConvolution(true), [{ x }]);
    const network: Network = importedNetwork(trainable(open, isWeight, { batchNormalization: 'batch' }));
    // On the batch that was measured, both kinds of statistics are the same.
    expectClose((await run(network.toModel(), { x })).y, (await run(open, { x })).y!, 1e-5);
    // Another contrast and brightness leave the batch's statistics no trace of themselves.
    const bright = Tensor.float32(
      x.dims,
      x.toFloat32().map(v => 3 * v + 7),
    );
    expectClose((await run(network.toModel(), { x: bright })).y, (await run(open, { x })).y!, 1e-4);
  });
});
