import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/graph/graph.js';
import { analyzeShapes } from '../../../src/graph/infer/index.js';
import { Tensor } from '../../../src/graph/tensor.js';
import { tensorType, type Value } from '../../../src/graph/value.js';
import { type Cases, expectShapes } from './compare.js';

/** A subgraph of the case's model; `build` makes names in the model, so that none hides another. */
function body(c: Cases, build: (graph: Graph) => Value[]): Graph {
  const graph = new Graph(c.graph.freshName('body'));
  for (const value of build(graph)) graph.addOutput(value);
  return graph;
}

describe('If', () => {
  it('has what both branches have in common', async () => {
    await expectShapes(
      c => {
        const [n, m] = c.random.shape(2, 2, 5) as [number, number];
        const x = c.input([n, m]);
        const condition = c.op('Greater', [c.op('ReduceMax', [x], { keepdims: 0 }), c.scalar(0, 'float32')]);
        c.op('If', [condition], {
          then_branch: body(c, g => [g.op('Relu', [x], {}, { name: c.graph.freshName('then') })]),
          else_branch: body(c, g => [g.op('Neg', [x], {}, { name: c.graph.freshName('else') })]),
        });
        // Sizes decide: the other branch would not even have this rank.
        const rank = c.op('Size', [c.op('Shape', [x])]);
        c.op('If', [c.op('Equal', [rank, c.scalar(2)])], {
          then_branch: body(c, g => [g.op('Flatten', [x], { axis: 0 }, { name: c.graph.freshName('then') })]),
          else_branch: body(c, g => [g.op('Identity', [x], {}, { name: c.graph.freshName('else') })]),
        });
      },
      { dataDependent: ['If'] },
    );
  });

  it('reports nothing about a branch that never runs', () => {
    const graph = new Graph();
    const x = graph.addInput('x', tensorType('float32', [5, 2]));
    const size = graph.op('Gather', [graph.op('Shape', [x]), graph.constant(Tensor.int64([0], []))]);
    const isOne = graph.op('Equal', [size, graph.constant(Tensor.int64([1], []))]);
    const then = new Graph('then');
    then.addOutput(then.op('Squeeze', [x, graph.constant(Tensor.int64([0]))]));
    const otherwise = new Graph('else');
    otherwise.addOutput(otherwise.op('Identity', [x]));
    const y = graph.op('If', [isOne], { then_branch: then, else_branch: otherwise });
    const analysis = analyzeShapes(graph);
    expect(analysis.problems).toEqual([]);
    expect(analysis.typeOf(y)).toEqual(tensorType('float32', [5, 2]));

    const free = graph.addInput('condition', tensorType('bool', []));
    y.producer!.setInput(0, free);
    const [problem] = analyzeShapes(graph).problems;
    expect(problem).toMatchObject({ conditional: true, message: expect.stringMatching(/axis 0 has size 5/) });
  });
});

describe('Loop and Scan', () => {
  it('stack what the body gives', async () => {
    await expectShapes(c => {
      const [n, m, trips] = c.random.shape(3, 1, 4) as [number, number, number];
      const x = c.input([n, m]);
      const start = c.input([m]);
      const step = body(c, g => {
        g.addInput(c.graph.freshName('i'), tensorType('int64', []));
        const condition = g.addInput(c.graph.freshName('go'), tensorType('bool', []));
        const state = g.addInput(c.graph.freshName('state'), tensorType('float32'));
        const next = g.op('Add', [state, start], {}, { name: c.graph.freshName('next') });
        const rows = g.op('Mul', [x, next], {}, { name: c.graph.freshName('rows') });
        return [g.op('Identity', [condition], {}, { name: c.graph.freshName('on') }), next, rows];
      });
      c.graph.node('Loop', [c.scalar(trips), null, start], { body: step }, { outputs: 2 });
      const scan = body(c, g => {
        const state = g.addInput(c.graph.freshName('state'), tensorType('float32'));
        const row = g.addInput(c.graph.freshName('row'), tensorType('float32'));
        const next = g.op('Max', [state, row], {}, { name: c.graph.freshName('next') });
        return [next, g.op('Neg', [next], {}, { name: c.graph.freshName('neg') })];
      });
      c.graph.node('Scan', [start, x], { body: scan, num_scan_inputs: 1 }, { outputs: 2 });
      const columns = body(c, g => {
        const column = g.addInput(c.graph.freshName('column'), tensorType('float32'));
        return [g.op('Abs', [column], {}, { name: c.graph.freshName('abs') })];
      });
      c.graph.node('Scan', [x], {
        body: columns,
        num_scan_inputs: 1,
        scan_input_axes: [1],
        scan_output_axes: [1],
      });
    });
  });

  it('widen what grows from round to round', async () => {
    await expectShapes(
      c => {
        const x = c.input([2, 3]);
        const grow = body(c, g => {
          g.addInput(c.graph.freshName('i'), tensorType('int64', []));
          const condition = g.addInput(c.graph.freshName('go'), tensorType('bool', []));
          const all = g.addInput(c.graph.freshName('all'), tensorType('float32', [null, 3]));
          const more = g.op('Concat', [all, x], { axis: 0 }, { name: c.graph.freshName('more') });
          return [g.op('Identity', [condition], {}, { name: c.graph.freshName('on') }), more];
        });
        c.op('Loop', [c.scalar(3), null, x], { body: grow });
      },
      { dataDependent: ['Loop'], seeds: 1 },
    );
  });
});
