import type { AttributeInput } from '../attribute.js';
import { type DType, dtypeCode, isFloat } from '../dtype.js';
import type { Graph } from '../graph.js';
import { Node, type NodeInput } from '../node.js';
import { sizeOf, Tensor } from '../tensor.js';
import type { Value } from '../value.js';
import { ShapeBuilder } from './shape-builder.js';

/** A value, or a number that becomes a scalar constant of the other operand's dtype. */
export type Operand = Value | number;

type Attributes = Readonly<Record<string, AttributeInput | undefined>>;

export interface BuilderOptions {
  /** Version of ONNX's operator set that the nodes are for, 13 or higher. */
  readonly opset: number;
  /** Called with each new node; sets the types of its outputs. */
  readonly infer?: (node: Node) => void;
}

/**
 * Writes expressions into a graph: `b.mul(g, b.sub(1, b.square(y)))`. Numbers become constants, constants are
 * shared, and sizes that are known are constants rather than computed at run time.
 *
 * Emits only operators of ONNX's own domain from opset 13 on; `scatterAdd` and the gradients need 16.
 */
export class Builder extends ShapeBuilder {
  readonly graph: Graph;
  readonly opset: number;
  /** Prefix of new names. */
  scope = '';
  /** All nodes that were emitted, oldest first. */
  readonly emitted: Node[] = [];
  private readonly infer: (node: Node) => void;
  private readonly constants: Map<string, Value> = new Map();
  private count = 0;

  constructor(graph: Graph, { opset, infer = () => {} }: BuilderOptions) {
    super();
    this.graph = graph;
    this.opset = opset;
    this.infer = infer;
  }

  // Nodes

  op(opType: string, inputs: readonly NodeInput[], attributes: Attributes = {}, domain = ''): Value {
    return this.node(opType, inputs, attributes, 1, domain).output;
  }

  /** A node of several outputs. */
  node(
    opType: string,
    inputs: readonly NodeInput[],
    attributes: Attributes,
    outputs: number,
    domain = '',
  ): Node {
    const name = this.name(opType);
    const values = Array.from({ length: outputs }, (_, i) =>
      this.graph.newValue(i === 0 ? name : `${name}.${i}`),
    );
    const node = new Node(opType, inputs, values, { attributes, domain, name: values[0]!.name });
    this.graph.insert(node);
    this.emitted.push(node);
    this.infer(node);
    return node;
  }

  // Running numbers keep the search for a fresh name short in large graphs.
  private name(base: string): string {
    return `${this.scope}${base}_${this.count++}`;
  }

  // Constants

  /** A constant tensor; equal ones are shared where `key` says that they are. */
  constant(tensor: Tensor, key?: string): Value {
    const known = key === undefined ? undefined : this.constants.get(key);
    if (known && this.graph.initializers.has(known)) return known;
    const value = this.graph.constant(tensor, this.name('constant'));
    if (key !== undefined) this.constants.set(key, value);
    return value;
  }

  /** Lets go of constants that no node uses. */
  removeUnusedConstants(): void {
    for (const [key, value] of this.constants) {
      if (value.uses.size > 0 || this.graph.isOutput(value)) continue;
      this.graph.initializers.delete(value);
      this.constants.delete(key);
    }
  }

  /** A scalar. */
  scalar(value: number, dtype: DType = 'float32'): Value {
    return this.constant(
      Tensor.fromNumbers(dtype, [], [value]),
      `${dtype} ${Object.is(value, -0) ? '-0' : value}`,
    );
  }

  /** A list of integers, as shapes and axes are given. */
  override ints(values: readonly number[]): Value {
    return this.constant(Tensor.int64(values), `int64[] ${values}`);
  }

  // Arithmetic

  add(a: Operand, b: Operand): Value {
    return this.binary('Add', a, b);
  }

  sub(a: Operand, b: Operand): Value {
    return this.binary('Sub', a, b);
  }

  mul(a: Operand, b: Operand): Value {
    if (a === 1 && typeof b !== 'number') return b;
    if (b === 1 && typeof a !== 'number') return a;
    return this.binary('Mul', a, b);
  }

  div(a: Operand, b: Operand): Value {
    return this.binary('Div', a, b);
  }

  pow(a: Operand, b: Operand): Value {
    return this.binary('Pow', a, b);
  }

  square(x: Value): Value {
    return this.mul(x, x);
  }

  neg(x: Value): Value {
    return this.op('Neg', [x]);
  }

  exp(x: Value): Value {
    return this.op('Exp', [x]);
  }

  sqrt(x: Value): Value {
    return this.op('Sqrt', [x]);
  }

  /** Sum of values of one shape. */
  total(values: readonly Value[]): Value {
    if (values.length === 1) return values[0]!;
    return values.length === 2 ? this.add(values[0]!, values[1]!) : this.op('Sum', values);
  }

  /** An operator on two operands with broadcasting; comparisons give booleans. */
  binary(op: string, a: Operand, b: Operand): Value {
    const [x, y] = this.operands(a, b);
    return this.op(op, [x, y]);
  }

  /** `yes` where the condition holds, `no` elsewhere. */
  where(condition: Value, yes: Operand, no: Operand): Value {
    const [x, y] = this.operands(yes, no);
    return this.op('Where', [condition, x, y]);
  }

  private operands(a: Operand, b: Operand): [Value, Value] {
    const dtype =
      (typeof a === 'number' ? undefined : a.dtype) ?? (typeof b === 'number' ? undefined : b.dtype);
    const value = (operand: Operand): Value =>
      typeof operand === 'number' ? this.scalar(operand, dtype) : operand;
    return [value(a), value(b)];
  }

  cast(x: Value, dtype: DType): Value {
    return x.dtype === dtype ? x : this.op('Cast', [x], { to: dtypeCode(dtype) });
  }

  /** 1 where the condition holds, else 0. */
  indicator(condition: Value, dtype: DType | undefined): Value {
    return this.cast(condition, dtype && isFloat(dtype) ? dtype : 'float32');
  }

  /** 1 where x > 0, else 0, in the dtype of x. */
  step(x: Value): Value {
    // A steep HardSigmoid is one vectorized pass; comparison and Cast are two. Its slope overflows in float16.
    if (x.dtype === 'float32') return this.op('HardSigmoid', [x], { alpha: 1e30, beta: 0 });
    return this.indicator(this.binary('Greater', x, 0), x.dtype);
  }

  /** Matrix product with numpy's rules. */
  matmul(a: Value, b: Value): Value {
    return this.op('MatMul', [a, b]);
  }

  /** `alpha`·A′·B′ of matrices. */
  gemm(a: Value, b: Value, { transA = false, transB = false, alpha = 1 } = {}): Value {
    return this.op('Gemm', [a, b], {
      ...(transA && { transA: 1 }),
      ...(transB && { transB: 1 }),
      ...(alpha !== 1 && { alpha }),
    });
  }

  /** Sum over axes; as it is where there are none. */
  override sum(x: Value, axes: readonly number[], keepdims = false): Value {
    return axes.length === 0 ? x : this.op('ReduceSum', [x, this.ints(axes)], { keepdims });
  }

  /** Mean over axes, which stay with size 1. */
  mean(x: Value, axes: readonly number[]): Value {
    if (axes.length === 0) return x;
    if (this.opset >= 18) return this.op('ReduceMean', [x, this.ints(axes)]);
    return this.op('ReduceMean', [x], { axes });
  }

  /** How many elements of x fall on one of y, as a number or a scalar of the dtype of x. */
  countRatio(x: Value, y: Value): Operand {
    const [from, to] = [x.fixedShape, y.fixedShape];
    if (from && to) return sizeOf(to) === 0 ? 1 : sizeOf(from) / sizeOf(to);
    // Where both are empty at run time nothing is divided, but integers must not be divided by zero.
    const divisor = this.binary('Max', this.op('Size', [y]), 1);
    const ratio = this.op('Div', [this.op('Size', [x]), divisor]);
    return this.cast(ratio, x.dtype ?? 'float32');
  }
}
