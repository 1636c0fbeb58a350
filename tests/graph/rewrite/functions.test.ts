import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { Attribute } from '../../../src/graph/attribute.js';
import { checkModel } from '../../../src/graph/check.js';
import { Graph } from '../../../src/graph/graph.js';
import { analyzeShapes } from '../../../src/graph/infer/index.js';
import { type FunctionDefinition, Model } from '../../../src/graph/model.js';
import { inlineFunctions } from '../../../src/graph/rewrite/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { tensorType } from '../../../src/graph/value.js';
import { encodeToBytes } from '../../../src/onnx/index.js';
import { outputsOf } from '../../onnx/installed-models.js';

const INT = 2;

function define(name: string, graph: Graph, defaults: Record<string, Attribute> = {}): FunctionDefinition {
  return {
    name,
    domain: 'test',
    overload: '',
    attributeNames: [],
    attributeDefaults: new Map(Object.entries(defaults)),
    opsets: new Map([
      ['', 21],
      ['test', 1],
    ]),
    graph,
  };
}

/** y = Join(x) of a function that concatenates x with itself along its attribute, called by another. */
function build(): { model: Model; graph: Graph } {
  const join = new Graph('Join');
  const v = join.addInput('v');
  join.addOutput(
    join.op('Concat', [v, v], { axis: { type: 'reference', value: 'along', of: INT } }, { name: 'joined' }),
  );
  const twice = new Graph('Twice');
  const u = twice.addInput('u');
  const one = twice.op('Constant', [], { value: Tensor.scalar(1) });
  const first = twice.op(
    'Join',
    [twice.op('Add', [u, one])],
    { along: 1 },
    { domain: 'test', name: 'inner' },
  );
  twice.addOutput(twice.op('Join', [first], {}, { domain: 'test' }));

  const graph = new Graph();
  const model = new Model(graph);
  model.opsets = new Map([
    ['', 21],
    ['test', 1],
  ]);
  model.functions = [define('Join', join, { along: { type: 'int', value: 0 } }), define('Twice', twice)];
  const x = graph.addInput('x', tensorType('float32', ['n', 3]));
  graph.addOutput(graph.op('Twice', [x], {}, { domain: 'test', name: 'call' }), 'y');
  graph.addOutput(graph.op('Twice', [x], {}, { domain: 'test', name: 'again' }), 'z');
  return { model, graph };
}

describe('model-local functions', () => {
  it('are inferred for each call, with its attributes', () => {
    const { model, graph } = build();
    expect(checkModel(model)).toEqual([]);
    const analysis = analyzeShapes(model);
    expect(analysis.problems).toEqual([]);
    expect(analysis.typeOf(graph.outputs[0]!)).toEqual(tensorType('float32', ['2*n', 6]));
  });

  it('are inlined, nested ones too, with the same result', async () => {
    const { model, graph } = build();
    const feeds = { x: new ort.Tensor('float32', Float32Array.from([1, 2, 3]), [1, 3]) };
    const before = await outputsOf(encodeToBytes(model), feeds);
    expect(inlineFunctions(model)).toBe(6);
    expect(model.functions).toEqual([]);
    expect([...graph.nodes].filter(node => node.domain === 'test')).toEqual([]);
    expect(checkModel(model)).toEqual([]);
    expect(before.y!.dims).toEqual([2, 6]);
    expect(await outputsOf(encodeToBytes(model), feeds)).toEqual(before);
  });

  it('that call themselves end with an error', () => {
    const { model } = build();
    const self = new Graph('Join');
    const v = self.addInput('v');
    self.addOutput(self.op('Join', [v], {}, { domain: 'test' }));
    model.functions[0] = define('Join', self);
    expect(analyzeShapes(model).problems[0]!.message).toMatch(/nested too deep/);
    expect(() => inlineFunctions(model)).toThrow(/function Join calls itself/);
  });
});
