import type { AttributeInput } from '../graph/attribute.js';
import type { DType } from '../graph/dtype.js';
import { dtypeCode } from '../graph/dtype.js';
import type { Graph, NodeOptions } from '../graph/graph.js';
import type { Node, NodeInput } from '../graph/node.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import type { Layer } from './layer.js';
import type { Network, ParameterOptions } from './network.js';

/**
 * A place in a network under construction: parameters and nodes made here are named under its path, as modules name
 * them in PyTorch. Layers are functions of a scope: `linear(scope.at('fc'), x, { … })`.
 */
export class Scope {
  readonly network: Network;
  /** Path with dots, '' at the root. */
  readonly path: string;

  constructor(network: Network, path = '') {
    this.network = network;
    this.path = path;
  }

  get graph(): Graph {
    return this.network.graph;
  }

  get training(): boolean {
    return this.network.training;
  }

  /** A scope inside this one: `scope.at('layer1', 0, 'conv1')`. */
  at(...names: (string | number)[]): Scope {
    return new Scope(this.network, [this.path, ...names].filter(name => name !== '').join('.'));
  }

  /** Adds a parameter `path.name` and returns its value. */
  parameter(name: string, dims: readonly number[], options: ParameterOptions): Value {
    return this.network.addParameter(this.nameOf(name), dims, options).value;
  }

  /** Adds a node named after the path; its result has its type at once. */
  op(
    opType: string,
    inputs: readonly NodeInput[],
    attributes?: Readonly<Record<string, AttributeInput | undefined>>,
    options?: NodeOptions,
  ): Value {
    return this.node(opType, inputs, attributes, options).output;
  }

  /** As `op`, for nodes of several outputs. */
  node(
    opType: string,
    inputs: readonly NodeInput[],
    attributes?: Readonly<Record<string, AttributeInput | undefined>>,
    options?: NodeOptions,
  ): Node {
    const name = this.network.nodeName(this.path === '' ? opType : `${this.path}/${opType}`);
    const node = this.graph.node(opType, inputs, attributes, { name, ...options });
    this.network.inferTypes(node);
    return node;
  }

  /** An int64 vector, as shapes and axes are given; equal ones are shared. */
  int64(...values: number[]): Value {
    return this.constant(`int64/${values.join(',')}`, () => Tensor.int64(values));
  }

  /** An int64 scalar. */
  index(value: number): Value {
    return this.constant(`index/${value}`, () => Tensor.int64([value], []));
  }

  /** A float32 scalar. */
  scalar(value: number): Value {
    return this.constant(`scalar/${value}`, () => Tensor.scalar(value));
  }

  /** x in another shape; 0 keeps a dimension, -1 is what remains. */
  reshape(x: Value, ...dims: number[]): Value {
    return this.op('Reshape', [x, this.int64(...dims)]);
  }

  transpose(x: Value, ...perm: number[]): Value {
    return this.op('Transpose', [x], { perm });
  }

  /** Equal parts of the last dimension. */
  split(x: Value, count: number): Value[] {
    const node = this.node('Split', [x], { axis: -1, num_outputs: count }, { outputs: count });
    return node.outputs as Value[];
  }

  /** Size of one dimension as an int64 vector of one element. */
  dimension(x: Value, axis: number): Value {
    return this.op('Shape', [x], { start: axis, end: axis + 1 });
  }

  /** 0, 1, …, count − 1 as an int64 vector; `count` is an int64 vector of one element, as `dimension` gives. */
  range(count: Value): Value {
    return this.op('Range', [this.index(0), this.op('Squeeze', [count]), this.index(1)]);
  }

  cast(x: Value, dtype: DType): Value {
    return this.op('Cast', [x], { to: dtypeCode(dtype) });
  }

  /** Records a layer under this path. */
  record(layer: Layer): void {
    this.network.layers.set(this.path, layer);
  }

  private nameOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  /** A constant of an operator, made once for each name. */
  constant(name: string, make: () => Tensor): Value {
    const { constants } = this.network;
    const value = constants.get(name) ?? this.graph.constant(make(), name);
    constants.set(name, value);
    return value;
  }
}
