import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import { analyzeShapes, inferShapes, learnShapes } from '../../../src/graph/infer/index.js';
import { defineOp, OPS } from '../../../src/graph/ops/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { type Shape, tensorType, type Value } from '../../../src/graph/value.js';

function setup(shape: Shape = ['n', 3]): { graph: Graph; x: Value } {
  const graph = new Graph();
  return { graph, x: graph.addInput('x', tensorType('float32', shape)) };
}

function declare(value: Value, shape: Shape): Value {
  value.type = tensorType('float32', shape);
  value.declared = true;
  return value;
}

describe('inferShapes', () => {
  it('keeps what the file declares where it knows less', () => {
    const { graph, x } = setup();
    const known = declare(graph.op('Mystery', [x], {}, { domain: 'custom' }), [7, 'k']);
    const next = graph.op('Relu', [known]);
    expect(inferShapes(graph).problems).toEqual([]);
    expect(known.shape).toEqual([7, 'k']);
    expect(next.type).toEqual(tensorType('float32', [7, 'k']));
  });

  it('joins both where each knows something', () => {
    const { graph, x } = setup([null, 'c', 5]);
    const y = declare(graph.op('Relu', [x]), [4, null, 'w']);
    inferShapes(graph);
    expect(y.shape).toEqual([4, 'c', 5]);
  });

  it('keeps the names of the outputs, which are the interface', () => {
    const { graph, x } = setup();
    const y = declare(graph.op('Relu', [x]), ['rows', 3]);
    graph.addOutput(y);
    inferShapes(graph);
    expect(y.shape).toEqual(['rows', 3]);
  });

  it('names sizes that have no name, so that equal ones are seen to be equal', () => {
    const { graph, x } = setup([null, 4]);
    const sum = graph.op('Add', [graph.op('Relu', [x]), graph.op('Neg', [x])]);
    inferShapes(graph);
    expect(sum.shape).toEqual(['x.0', 4]);
  });

  it('reports a declaration that contradicts the operator, or throws', () => {
    const { graph, x } = setup();
    declare(graph.op('Relu', [x], {}, { name: 'wrong' }), ['n', 4]);
    expect(() => analyzeShapes(graph, { onProblem: 'throw' })).toThrow(/wrong/);
    const { problems } = inferShapes(graph);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ node: 'wrong', value: 'wrong', declaration: true });
  });

  it('takes other input shapes; a size stands for its name everywhere', () => {
    const { graph, x } = setup(['n', 3]);
    const z = graph.addInput('z', tensorType('float32', ['n', 1]));
    const y = graph.op('Relu', [z]);
    const analysis = analyzeShapes(graph, { inputShapes: { x: [8, 3] } });
    expect(analysis.fixedShapeOf(y)).toEqual([8, 1]);
    expect(y.type).toBeUndefined();
    expect(x.shape).toEqual(['n', 3]);
    expect(() => analyzeShapes(graph, { inputShapes: { w: [1] } })).toThrow(/no such input.*x, z/);
    expect(() => analyzeShapes(graph, { inputShapes: { x: [1] } })).toThrow(/rank 1/);
  });

  it('distrusts declared shapes once a declared number is replaced', () => {
    const { graph, x } = setup([1, 3]);
    const y = declare(graph.op('Relu', [x]), [1, 3]);
    const analysis = analyzeShapes(graph, { inputShapes: { x: [8, 3] } });
    expect(analysis.problems).toEqual([]);
    expect(analysis.fixedShapeOf(y)).toEqual([8, 3]);
  });

  it('takes the value of an input that decides a shape', () => {
    const { graph, x } = setup([6, 2]);
    const target = graph.addInput('target', tensorType('int64', [2]));
    const y = graph.op('Reshape', [x, target]);
    expect(analyzeShapes(graph).typeOf(y)).toEqual(tensorType('float32', [null, null]));
    expect(analyzeShapes(graph, { inputValues: { target: [3, -1] } }).fixedShapeOf(y)).toEqual([3, 4]);
    expect(() => analyzeShapes(graph, { inputValues: { target: [3] } })).toThrow(/do not fill/);
  });

  it('goes on behind a node that fails', () => {
    const { graph, x } = setup(['n', 3]);
    const bad = graph.op('MatMul', [x, graph.constant(Tensor.float32([4, 2], new Float32Array(8)))]);
    const good = graph.op('Relu', [x]);
    const { problems } = inferShapes(graph);
    expect(problems.map(p => p.message)).toEqual([expect.stringMatching(/inner dimensions 3 and 4 differ/)]);
    expect(bad.type).toBeUndefined();
    expect(good.shape).toEqual(['n', 3]);
  });

  it('uses operators that the caller defines', () => {
    const { graph, x } = setup([2, 3]);
    const y = graph.op('Twice', [x], {}, { domain: 'custom' });
    const twice = defineOp({
      op: 'Twice',
      domain: 'custom',
      infer: context => context.set(0, context.dtype(0), [...context.shape(0)!, 2]),
    });
    inferShapes(graph, { registry: OPS.with([twice]) });
    expect(y.shape).toEqual([2, 3, 2]);
  });

  it('survives hostile ranks and sizes', () => {
    const { graph, x } = setup([2]);
    const rank = graph.addInput('rank', tensorType('int64', [1e12]));
    const y = graph.op('Reshape', [x, rank]);
    const z = graph.op('ConstantOfShape', [graph.constant(Tensor.int64([-5]))]);
    graph.op(
      'Range',
      [0, 1e15, 1].map(n => graph.constant(Tensor.int64([n], []))),
    );
    const { problems } = inferShapes(graph);
    expect(y.type).toEqual(tensorType('float32'));
    expect(z.type).toBeUndefined();
    expect(problems.map(p => p.message)).toEqual([expect.stringMatching(/a dimension of -5/)]);
  });
});

describe('learnShapes', () => {
  /** y has a shape that only a run can tell. */
  function mystery(shape: Shape): { graph: Graph; y: Value } {
    const { graph, x } = setup(shape);
    return { graph, y: graph.op('Mystery', [x], {}, { domain: 'custom' }) };
  }
  const run = (x: number[], y: number[], name = 'mystery') =>
    new Map([
      ['x', x],
      [name, y],
    ]);

  it('takes sizes for fixed where the inputs are', () => {
    const { graph, y } = mystery([2, 3]);
    expect(learnShapes(graph, [run([2, 3], [5, 3])])).toEqual([y]);
    expect(y.shape).toEqual([5, 3]);
  });

  it('tells names, products and constants from several runs', () => {
    const { graph, y } = mystery(['n', 'w']);
    learnShapes(graph, [run([2, 7], [2, 14, 7, 1]), run([3, 11], [3, 33, 11, 1])]);
    expect(y.shape).toEqual(['n', 'n*w', 'w', 1]);
  });

  it('learns no more from one run than it shows', () => {
    const { graph, y } = mystery(['n', 'w']);
    learnShapes(graph, [run([5, 7], [7, 9, 1])]);
    expect(y.shape).toEqual(['w', null, null]);
  });

  it('does not guess between two names, nor a rank that changes', () => {
    const { graph, y } = mystery(['n', 'w']);
    learnShapes(graph, [run([5, 5], [5])]);
    expect(y.shape).toEqual([null]);
    y.type = undefined;
    expect(learnShapes(graph, [run([5, 7], [5]), run([6, 7], [6, 1])])).toEqual([]);
  });

  it('is kept by later inference, and feeds it', () => {
    const { graph, y } = mystery([2, 3]);
    const z = graph.op('Relu', [y]);
    y.type = tensorType('float32');
    learnShapes(graph, [run([2, 3], [4])]);
    inferShapes(graph);
    expect(z.type).toEqual(tensorType('float32', [4]));
  });
});
