import { describe, expect, it } from 'vitest';
import { checkModel } from '../../src/graph/check.js';
import { findNonFinite } from '../../src/graph/check-finite.js';
import { Graph } from '../../src/graph/graph.js';
import { Model } from '../../src/graph/model.js';
import { Node } from '../../src/graph/node.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType, Value } from '../../src/graph/value.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { MODELS } from '../onnx/installed-models.js';

function setup(): { model: Model; graph: Graph; x: Value } {
  const graph = new Graph();
  const x = graph.addInput('x', tensorType('float32', ['n', 4]));
  return { model: new Model(graph), graph, x };
}

const messages = (model: Model): string[] => checkModel(model).map(p => `${p.severity}: ${p.message}`);

describe('checkModel', () => {
  it('finds nothing in a sound model', () => {
    const { model, graph, x } = setup();
    graph.addOutput(graph.op('Relu', [x]), 'y');
    expect(checkModel(model)).toEqual([]);
  });

  it.each(MODELS)('finds no error in %s', async path => {
    const model = await loadModel(path);
    expect(checkModel(model).filter(p => p.severity === 'error')).toEqual([]);
    expect([...findNonFinite(model)]).toEqual([]);
  });

  it('knows operators and their versions', () => {
    const { model, graph, x } = setup();
    model.opsets = new Map([['', 13]]);
    graph.op('Rellu', [x], {}, { name: 'typo' });
    graph.op('Gelu', [x], {}, { name: 'early' });
    graph.op('Upsample', [x, x], {}, { name: 'late' });
    graph.op('Gelu', [x], {}, { name: 'foreign', domain: 'com.microsoft' });
    expect(checkModel(model).map(p => [p.node, p.message])).toEqual([
      ['typo', 'ONNX has no operator Rellu'],
      ['early', 'Gelu exists since opset 20; the model imports 13'],
      ['late', 'Upsample was removed in opset 10; the model imports 13'],
      ['foreign', 'Gelu belongs to domain "com.microsoft", which the model does not import'],
    ]);
  });

  it('wants the inputs and attributes that an operator needs', () => {
    const { model, graph, x } = setup();
    graph.op('Concat', [x, x], {}, { name: 'no axis' });
    graph.op('MatMul', [x, null], {}, { name: 'one input' });
    graph.op('Relu', [x, x], {}, { name: 'two inputs' });
    expect(checkModel(model).map(p => [p.node, p.message])).toEqual([
      ['no axis', 'Concat needs the attribute "axis"'],
      ['one input', 'MatMul needs at least 2 inputs; input 1 is missing'],
      ['two inputs', 'Relu takes at most 1 inputs, not 2'],
    ]);
  });

  it('wants every value to be made once, where its users can see it', () => {
    const { model, graph, x } = setup();
    const y = graph.op('Relu', [x]);
    graph.insert(new Node('Neg', [x], [y], { name: 'second' }));
    graph.op('Abs', [new Value('nowhere')], {}, { name: 'lost' });
    const then = new Graph('then');
    const hidden = then.op('Neg', [x], {}, { name: 'hidden' });
    then.addOutput(hidden);
    const otherwise = new Graph('else');
    otherwise.addOutput(otherwise.op('Abs', [hidden], {}, { name: 'peek' }));
    graph.op('If', [graph.addInput('c', tensorType('bool', []))], {
      then_branch: then,
      else_branch: otherwise,
    });
    graph.addOutput(new Value('never'));
    const found = messages(model);
    expect(found).toContain('error: "relu" is defined twice; each value has one producer');
    expect(found).toContain('error: input "nowhere" of Abs is defined nowhere');
    expect(found).toContain('error: input "hidden" of Abs is made in a graph that this node cannot see');
    expect(found).toContain('error: nothing produces the output "never" of graph "graph"');
    expect(found).toHaveLength(4);
  });

  it('wants names to be unique', () => {
    const { model, graph, x } = setup();
    const a = graph.op('Relu', [x], {}, { name: 'same' });
    const b = graph.op('Neg', [x], {}, { name: 'same' });
    b.name = a.name;
    expect(messages(model)).toEqual([
      'error: two values are named "same"',
      'warning: two nodes are named "same"',
    ]);
  });

  it('lets nodes stand in any order, but not in a circle', () => {
    const { model, graph, x } = setup();
    const late = new Value('late');
    graph.addOutput(graph.op('Neg', [late]));
    graph.insert(new Node('Relu', [x], [late]));
    expect(checkModel(model)).toEqual([]);
    late.producer!.setInput(0, graph.outputs[0]!);
    expect(messages(model)[0]).toMatch(/error: the graph has a cycle/);
  });

  it('reports shapes and dtypes that do not fit', () => {
    const { model, graph, x } = setup();
    graph.op(
      'MatMul',
      [x, graph.constant(Tensor.float32([3, 2], new Float32Array(6)))],
      {},
      { name: 'product' },
    );
    graph.op('Add', [x, graph.constant(Tensor.int64([1]))], {}, { name: 'sum' });
    const y = graph.op('Relu', [x], {}, { name: 'declared' });
    y.declared = true;
    y.type = tensorType('float32', ['n', 5]);
    expect(checkModel(model).map(p => [p.severity, p.node, p.message])).toEqual([
      ['error', 'product', expect.stringContaining('inner dimensions 4 and 3 differ')],
      ['error', 'sum', expect.stringContaining('one dtype, but has float32 and int64')],
      ['warning', 'declared', expect.stringContaining('shape [n,5] against [n,4]')],
    ]);
  });

  it('wants a dtype of each input', () => {
    const { model, graph } = setup();
    graph.addInput('untyped');
    expect(messages(model)).toEqual(['error: an input of the model has no type']);
  });
});

describe('findNonFinite', () => {
  it.each(['float32', 'float64', 'float16', 'bfloat16'] as const)(
    'counts NaN and infinities of %s',
    dtype => {
      const graph = new Graph();
      const numbers = [1, Number.NaN, -Infinity, 0, Infinity, 65504, -1e-7];
      const value = graph.constant(Tensor.fromNumbers(dtype, [7], numbers), 'w');
      expect([...findNonFinite(new Model(graph))]).toEqual([
        { value: value.name, nan: 1, infinite: 2, size: 7, first: 1 },
      ]);
    },
  );

  it('finds them in Constant nodes of subgraphs, and not in integers', () => {
    const graph = new Graph();
    const inner = new Graph('then');
    inner.addOutput(inner.op('Constant', [], { value: Tensor.float32([1], [Number.NaN]) }, { name: 'bad' }));
    graph.op('If', [graph.addInput('c')], { then_branch: inner, else_branch: new Graph('else') });
    graph.constant(Tensor.fromNumbers('int32', [1], [0x7fc00000]));
    expect([...findNonFinite(new Model(graph))].map(found => found.value)).toEqual(['bad']);
  });
});
