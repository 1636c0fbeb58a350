import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import { Model } from '../../../src/graph/model.js';
import { Node } from '../../../src/graph/node.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { type Shape, tensorType, Value } from '../../../src/graph/value.js';
import { decodeModel, encodeToBytes, upgradeOpset } from '../../../src/onnx/index.js';
import { CHANGES } from '../../../src/onnx/opset/upgrade.js';
import { feedsFor, MODELS, outputsOf, run } from '../installed-models.js';

type Attributes = NonNullable<Parameters<Graph['node']>[2]>;

interface Case {
  op: string;
  opset: number;
  attributes?: Attributes;
  /** Shape of the data; declared as symbolic unless `declared` says otherwise. */
  shape?: number[];
  declared?: Shape;
  /** Further inputs, constant. */
  constants?: Tensor[];
  outputs?: number;
}

const floats = (dims: number[], ...values: number[]) => Tensor.float32(dims, values);
const ints = (...values: number[]) => Tensor.int64(values);

const reductions = 'L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare'
  .split(' ')
  .map(kind => `Reduce${kind}`);

const CASES: Case[] = [
  ...reductions.flatMap((op): Case[] => [
    { op, opset: 7, attributes: { axes: [1, 2] } },
    { op, opset: 12, attributes: { axes: [-1], keepdims: 0 } },
    { op, opset: 11 },
  ]),
  { op: 'Squeeze', opset: 7, shape: [2, 1, 3, 1], attributes: { axes: [1] } },
  { op: 'Squeeze', opset: 11, shape: [2, 1, 3, 1] },
  { op: 'Unsqueeze', opset: 7, attributes: { axes: [0, 2] } },
  { op: 'Split', opset: 7, attributes: { axis: 1, split: [1, 2] }, outputs: 2 },
  { op: 'Split', opset: 11, attributes: { axis: 2 }, outputs: 2 },
  { op: 'Split', opset: 13, attributes: { axis: 2 }, constants: [ints(1, 3)], outputs: 2 },
  { op: 'Clip', opset: 7, attributes: { min: -0.5, max: 0.3 } },
  { op: 'Clip', opset: 7, attributes: { max: 0.3 } },
  { op: 'Clip', opset: 9 },
  { op: 'Dropout', opset: 7, attributes: { ratio: 0.3 } },
  { op: 'Dropout', opset: 10 },
  { op: 'Pad', opset: 7, attributes: { pads: [0, 1, 2, 3, 0, 1], value: 1.5 } },
  { op: 'Pad', opset: 10, attributes: { pads: [0, 1, 1, 0, 1, 2], mode: 'reflect' } },
  { op: 'Slice', opset: 7, attributes: { starts: [1, -3], ends: [3, 10], axes: [1, 2] } },
  { op: 'Slice', opset: 9, attributes: { starts: [0, 1], ends: [1, 2] } },
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op): Case[] => [
    { op, opset: 7 },
    { op, opset: 11, attributes: { axis: 2 } },
    { op, opset: 12, attributes: { axis: -1 } },
    { op, opset: 11, attributes: { axis: 0 } },
    { op, opset: 11, attributes: { axis: -2 } },
    { op, opset: 9, shape: [3, 5], declared: ['n', 'k'] },
  ]),
  ...[7, 9].map(
    (opset): Case => ({
      op: 'BatchNormalization',
      opset,
      attributes: { epsilon: 0.01 },
      constants: [
        floats([3], 1, 2, 3),
        floats([3], 0.1, 0.2, 0.3),
        floats([3], 0.5, 0, -0.5),
        floats([3], 1, 2, 0.5),
      ],
    }),
  ),
  ...['nearest', 'linear'].flatMap((mode): Case[] => [
    { op: 'Upsample', opset: 7, shape: [1, 2, 5, 4], attributes: { mode, scales: [1, 1, 2, 3] } },
    {
      op: 'Upsample',
      opset: 9,
      shape: [1, 2, 5, 4],
      attributes: { mode },
      constants: [floats([4], 1, 1, 1.5, 2.5)],
    },
    {
      op: 'Resize',
      opset: 10,
      shape: [1, 2, 5, 4],
      attributes: { mode },
      constants: [floats([4], 1, 1, 1.3, 1.7)],
    },
    {
      op: 'Resize',
      opset: 10,
      shape: [1, 2, 5, 4],
      attributes: { mode },
      constants: [floats([4], 1, 1, 0.6, 0.7)],
    },
    {
      op: 'Resize',
      opset: 11,
      shape: [1, 2, 5, 4],
      attributes: { mode },
      constants: [floats([0]), floats([0]), ints(1, 2, 7, 3)],
    },
  ]),
  { op: 'TopK', opset: 7, attributes: { k: 2, axis: 1 }, outputs: 2 },
  { op: 'TopK', opset: 10, constants: [ints(3)], outputs: 2 },
  {
    op: 'Scatter',
    opset: 9,
    constants: [Tensor.int64([1, 0], [1, 1, 2]), floats([1, 1, 2], 7, 8)],
    attributes: { axis: 2 },
  },
  { op: 'DFT', opset: 17, shape: [2, 6, 1] },
  {
    op: 'GridSample',
    opset: 16,
    shape: [1, 2, 4, 4],
    constants: [floats([1, 1, 2, 2], 0.1, -0.3, 0.9, 0.2)],
  },
  {
    op: 'GridSample',
    opset: 16,
    shape: [1, 2, 4, 4],
    constants: [floats([1, 1, 2, 2], 0.1, -0.3, 0.9, 0.2)],
    attributes: { mode: 'bicubic' },
  },
  {
    op: 'RoiAlign',
    opset: 10,
    shape: [1, 2, 6, 6],
    constants: [floats([1, 4], 0.5, 0.7, 4, 5), ints(0)],
    attributes: { output_height: 2, output_width: 2, sampling_ratio: 2 },
  },
  {
    op: 'GroupNormalization',
    opset: 18,
    shape: [2, 4, 3],
    declared: ['n', 4, null],
    constants: [floats([2], 1, 2), floats([2], 0.5, -0.5)],
    attributes: { num_groups: 2 },
  },
];

function build({
  op,
  opset,
  attributes = {},
  shape = [2, 3, 4],
  declared,
  constants = [],
  outputs = 1,
}: Case): Model {
  const graph = new Graph();
  const x = graph.addInput('x', tensorType('float32', declared ?? shape.map((_, i) => `d${i}`)));
  const inputs = [x, ...constants.map(tensor => graph.constant(tensor))];
  // The result of a node without a declared type, so that nothing is known of it.
  const names = Array.from({ length: outputs }, (_, i) => `y${i}`);
  const node = graph.node(op, inputs, attributes, { name: 'node', outputs: names });
  for (const output of node.outputs) graph.addOutput(output!);
  const model = new Model(graph);
  model.irVersion = 8;
  model.opsets.set('', opset);
  return model;
}

function noise(shape: number[]): Record<string, ort.Tensor> {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7) + 0.01 * i);
  return { x: new ort.Tensor('float32', data, shape) };
}

const title = ({ op, opset, attributes, declared }: Case): string =>
  `${op}-${opset} ${JSON.stringify({ ...attributes, declared })}`;

describe('upgradeOpset', () => {
  it('knows every change that makes an old node invalid', () => {
    const url = new URL('../golden/changes.json', import.meta.url);
    const breaking: { op: string; version: number }[] = JSON.parse(readFileSync(url, 'utf8'));
    const known = new Set(CHANGES.map(({ op, version }) => `${op}-${version}`));
    expect(
      breaking.map(({ op, version }) => `${op}-${version}`).filter(change => !known.has(change)),
    ).toEqual([]);
  });

  it.each(CASES.map(c => [title(c), c] as const))('keeps the results of %s', async (_, testCase) => {
    const feeds = noise(testCase.shape ?? [2, 3, 4]);
    const bytes = encodeToBytes(build(testCase));
    const before = await outputsOf(bytes, feeds);
    for (const target of [13, 18, 21].filter(t => t > testCase.opset)) {
      const model = decodeModel(bytes);
      upgradeOpset(model, target);
      expect(model.opset).toBe(target);
      expect(await outputsOf(encodeToBytes(model), feeds)).toEqual(before);
    }
  });

  it.each(MODELS)('keeps the results of %s', async path => {
    const feeds = feedsFor(path);
    const upgraded = (target: number): Uint8Array => {
      const model = decodeModel(readFileSync(path));
      expect(model.opset).toBeLessThan(target);
      upgradeOpset(model, target);
      return encodeToBytes(model);
    };
    // Which nodes ONNX Runtime fuses depends on their version, and with it the last bit.
    const before = await outputsOf(path, feeds, { optimize: false });
    expect(await outputsOf(upgraded(18), feeds, { optimize: false })).toEqual(before);
    // Its AveragePool of version 19 adds in another order.
    const exact = await run(path, feeds);
    const close = await run(upgraded(21), feeds);
    for (const [name, { data, dims }] of Object.entries(exact)) {
      expect(close[name]!.dims).toEqual(dims);
      const other = close[name]!.data as Float32Array;
      const differences = (data as Float32Array).map((value, i) => Math.abs(value - other[i]!));
      expect(differences.reduce((a, b) => Math.max(a, b))).toBeLessThan(1e-5);
    }
  });

  it('adds nothing where a name for the same thing is enough', () => {
    const model = build({
      op: 'Resize',
      opset: 10,
      shape: [1, 1, 2, 2],
      constants: [floats([4], 1, 1, 2, 2)],
    });
    upgradeOpset(model, 21);
    expect(model.graph.initializers.size).toBe(1);
    const softmax = build({ op: 'Softmax', opset: 9, declared: ['n', 'k'] });
    upgradeOpset(softmax, 21);
    expect([...softmax.graph.nodes].map(n => n.opType)).toEqual(['Softmax']);
  });

  it('reaches subgraphs', () => {
    const model = build({ op: 'Identity', opset: 11 });
    const [x] = model.graph.inputs;
    const body = new Graph('then');
    body.addOutput(body.op('Squeeze', [x!], { axes: [0] }));
    const condition = model.graph.addInput('c', tensorType('bool', []));
    model.graph.op('If', [condition], { then_branch: body, else_branch: new Graph('else') });
    upgradeOpset(model, 13);
    const [squeeze] = [...body.nodes];
    expect(Graph.constantOf(squeeze!.inputs[1])?.toNumbers()).toEqual([0]);
    expect(body.initializers.has(squeeze!.inputs[1]!)).toBe(true);
  });

  it('writes constants of functions as nodes', () => {
    const model = build({ op: 'Identity', opset: 11 });
    const graph = new Graph('f');
    const input = new Value('a');
    graph.inputs.push(input);
    graph.addOutput(graph.op('Squeeze', [input], { axes: [0] }));
    const common = { domain: 'ours', overload: '', attributeNames: [], attributeDefaults: new Map() };
    model.functions.push({ ...common, name: 'F', opsets: new Map([['', 11]]), graph });
    upgradeOpset(model, 13);
    expect([...graph.nodes].map(n => n.opType)).toEqual(['Constant', 'Squeeze']);
    expect(model.functions[0]!.opsets.get('')).toBe(13);
  });

  it('drops initializers from the inputs where IR version 3 demanded them', () => {
    const model = build({ op: 'Add', opset: 8, constants: [floats([1], 1)] });
    model.irVersion = 3;
    model.graph.inputs.push(...model.graph.initializers);
    upgradeOpset(model, 9);
    expect(model.irVersion).toBe(4);
    expect(model.graph.inputs.map(i => i.name)).toEqual(['x']);
  });

  it.each<[string, Case, number, RegExp]>([
    [
      'BatchNormalization with statistics per activation',
      { op: 'BatchNormalization', opset: 7, attributes: { spatial: 0 } },
      9,
      /spatial = 0/,
    ],
    [
      'BatchNormalization in training',
      { op: 'BatchNormalization', opset: 9, outputs: 5 },
      14,
      /training mode/,
    ],
    ['Dropout whose mask is used', { op: 'Dropout', opset: 7, outputs: 2 }, 10, /mask/],
    ['Scan over a batch', { op: 'Scan', opset: 8 }, 9, /batch/],
    [
      'dropped coordinates',
      { op: 'Resize', opset: 11, attributes: { coordinate_transformation_mode: 'tf_half_pixel_for_nn' } },
      13,
      /tf_half_pixel_for_nn/,
    ],
    [
      'averages over the edge',
      { op: 'AveragePool', opset: 11, attributes: { ceil_mode: 1, count_include_pad: 1 } },
      19,
      /over the edge/,
    ],
    ['unknown channels', { op: 'GroupNormalization', opset: 18 }, 21, /channels/],
    ['an old operator set', { op: 'Relu', opset: 6 }, 9, /6 is too old/],
    ['an unknown operator set', { op: 'Relu', opset: 21 }, 99, /99 is not known/],
  ])('refuses %s and changes nothing', (_, testCase, target, message) => {
    const model = build(testCase);
    const squeeze = model.graph.op('Squeeze', model.graph.inputs, { axes: [0] });
    const before = encodeToBytes(model);
    expect(() => upgradeOpset(model, target)).toThrow(message);
    expect(squeeze.producer!.attributes.has('axes')).toBe(true);
    expect(Buffer.compare(encodeToBytes(model), before)).toBe(0);
  });

  it('refuses where the dtype of a bound is not known, and takes the only one that there is', () => {
    const mixed = build({ op: 'Identity', opset: 10 });
    const half = mixed.graph.constant(Tensor.fromNumbers('float16', [1], [1]));
    const unknown = new Value('unknown');
    mixed.graph.insert(new Node('Mystery', [half], [unknown], { domain: 'ours' }));
    mixed.graph.op('Clip', [unknown], { min: 0 }, { name: 'clip' });
    expect(() => upgradeOpset(mixed, 11)).toThrow(/Clip "clip": the dtype of its input is not known/);
    unknown.type = tensorType('float16');
    upgradeOpset(mixed, 11);
    const clip = [...mixed.graph.nodes].find(n => n.opType === 'Clip')!;
    expect(Graph.constantOf(clip.inputs[1])!.dtype).toBe('float16');
  });

  it('leaves newer models as they are', () => {
    const model = build({ op: 'Relu', opset: 21 });
    const before = encodeToBytes(model);
    upgradeOpset(model, 13);
    expect(Buffer.compare(encodeToBytes(model), before)).toBe(0);
  });
});
