import { expect, it } from 'vitest';
import type { Moment } from '../../src/calibrate/observe.js';
import { findSites } from '../../src/calibrate/sites.js';
import { Layer } from '../../src/compress/layer.js';
import { quantizeCandidate } from '../../src/compress/methods/quantize.js';
import { ByteScale } from '../../src/compress/score.js';
import { Graph } from '../../src/graph/graph.js';
import { inferShapes } from '../../src/graph/infer/index.js';
import { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType } from '../../src/graph/value.js';
import { gram, matrix } from '../../src/linalg/index.js';
import { Random } from '../../src/random/random.js';

/** x · W with rows of W of very different size, and inputs of which some are stronger. */
function largeLayer(rows: number, cols: number) {
  const random = new Random(7);
  const graph = new Graph('large');
  const x = graph.addInput('x', tensorType('float32', ['n', cols]));
  const sizes = Array.from({ length: rows }, () => Math.exp(random.normal()));
  const data = new Float32Array(cols * rows);
  for (let c = 0; c < cols; c++) {
    for (let r = 0; r < rows; r++) data[c * rows + r] = sizes[r]! * random.normal();
  }
  graph.outputs.push(graph.op('MatMul', [x, graph.constant(Tensor.float32([cols, rows], data), 'w')]));
  const model = new Model(graph);
  model.opsets.set('', 17);
  inferShapes(model);
  const count = cols + 100;
  const inputs = Float64Array.from(
    { length: count * cols },
    (_, i) => random.normal() / (1 + (i % cols) / 50),
  );
  const first = new Float64Array(cols);
  for (const [i, value] of inputs.entries()) first[i % cols]! += value;
  const second = gram(matrix(inputs, count, cols)).data;
  const moment: Moment = { groups: 1, width: cols, count, second: [second], first: [first] };
  const site = findSites(model)[0]!;
  return { model, site, layer: new Layer(site, { moment }) };
}

it('some rows of a large layer tell bytes and error of all', () => {
  const { model, site, layer } = largeLayer(768, 600);
  const scale = new ByteScale(site, model);
  for (const format of [
    { bits: 3, block: 24 },
    { bits: 4, block: 60 },
    { bits: 8, block: 0 },
  ]) {
    const candidate = quantizeCandidate(layer, format);
    const bytes = scale.bytesOf(candidate);
    const error = candidate.error!();
    // Once the whole is made, it is what counts.
    const weight = candidate.weight();
    expect(error / layer.error(weight)).toBeGreaterThan(0.95);
    expect(error / layer.error(weight)).toBeLessThan(1.05);
    expect(candidate.error!() / layer.error(weight)).toBeCloseTo(1, 5);
    expect(bytes / scale.bytesOf(candidate)).toBeCloseTo(1, 3);
    expect(error).not.toBe(candidate.error!());
  }
}, 60_000);

it('takes every third row of three times as many', () => {
  const { layer } = largeLayer(768, 600);
  const { data, rows, cols } = layer.sample!.matrix;
  expect(rows).toBe(256);
  for (const row of [0, 100, 255]) {
    const from = 3 * row + 1;
    expect(data.subarray(row * cols, (row + 1) * cols)).toEqual(
      layer.matrix.data.subarray(from * cols, (from + 1) * cols),
    );
  }
});

it('a layer that is quickly rounded is scored on all of its rows', () => {
  const { layer } = largeLayer(600, 100);
  expect(layer.sample).toBeUndefined();
});
