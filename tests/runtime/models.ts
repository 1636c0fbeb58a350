import { type DType, Graph, Model, Tensor, tensorType } from '../../src/graph/index.js';

/** relu(x · w + 1) for x (batch, 2), with every step an intermediate value of its own. */
export function layer(): Model {
  const graph = new Graph();
  const x = graph.addInput('x', tensorType('float32', ['batch', 2]));
  const w = graph.constant(Tensor.float32([2, 3], [1, 2, 3, 4, 5, -6]), 'w');
  const product = graph.op('MatMul', [x, w], {}, { outputs: ['product'] });
  const sum = graph.op('Add', [product, graph.constant(Tensor.scalar(1), 'one')], {}, { outputs: ['sum'] });
  graph.addOutput(graph.op('Relu', [sum], {}, { outputs: ['y'] }));
  graph.outputs[0]!.type = tensorType('float32', ['batch', 3]);
  return new Model(graph);
}

/** `count` inputs, each negated into an output: x0 → y0, x1 → y1, … */
export function negations(count: number, dtype: DType = 'float32', dims: readonly number[] = [4]): Model {
  const graph = new Graph();
  for (let i = 0; i < count; i++) {
    const y = graph.op('Neg', [graph.addInput(`x${i}`, tensorType(dtype, dims))], {}, { outputs: [`y${i}`] });
    y.type = tensorType(dtype, dims);
    graph.addOutput(y);
  }
  return new Model(graph);
}

/** One node from x to y, both of the given dtype and any length. */
export function unary(opType: string, dtype: DType): Model {
  const graph = new Graph();
  const y = graph.op(
    opType,
    [graph.addInput('x', tensorType(dtype, ['n']))],
    {},
    { outputs: ['y'], name: 'only' },
  );
  y.type = tensorType(dtype, ['n']);
  graph.addOutput(y);
  return new Model(graph);
}

/** One step of gradient descent on loss = w · w with rate 1/4: next = w − w/2. */
export function descent(): Model {
  const graph = new Graph();
  const w = graph.addInput('w', tensorType('float32', [2]));
  const loss = graph.op('ReduceSumSquare', [w], { keepdims: 0 }, { outputs: ['loss'] });
  const half = graph.constant(Tensor.scalar(0.5), 'half');
  const next = graph.op('Mul', [w, half], {}, { outputs: ['next'] });
  loss.type = tensorType('float32', []);
  next.type = tensorType('float32', [2]);
  graph.addOutput(loss);
  graph.addOutput(next);
  return new Model(graph);
}
