import { isFloat } from '../graph/dtype.js';
import { Graph } from '../graph/graph.js';
import { analyzeShapes, type InferOptions, type ShapeAnalysis } from '../graph/infer/index.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import type { Shape, Value } from '../graph/value.js';
import { type PassContext, Refusal } from './dims/definition.js';
import { dimRuleOf } from './dims/index.js';
import { type Axis, isFree, type Label, Labels } from './labels.js';

/** A node that sums over an axis of one of its inputs. */
export interface Contraction {
  readonly node: Node;
  readonly input: number;
  readonly axis: number;
}

/**
 * Which dimensions of a model go together: labels for the axes of every value outside of subgraphs. Built by
 * `traceDimensions`.
 */
export class Dependencies {
  readonly labels = new Labels();
  readonly contractions: Contraction[] = [];
  readonly shapes: ShapeAnalysis;
  readonly opsets: ReadonlyMap<string, number>;
  private readonly known = new Map<Value, readonly Axis[] | undefined>();
  private readonly inputs: ReadonlySet<Value>;

  constructor(model: Model, options: InferOptions) {
    this.shapes = analyzeShapes(model, options);
    this.opsets = model.opsets;
    this.inputs = new Set(model.graph.inputs);
  }

  /** Axes of a value; `undefined` where its rank is unknown. */
  axesOf(value: Value): readonly Axis[] | undefined {
    if (!this.known.has(value)) this.known.set(value, this.firstAxes(value));
    return this.known.get(value);
  }

  /** Values with labels, constants included. */
  values(): Iterable<Value> {
    return this.known.keys();
  }

  shapeOf(value: Value): Shape | undefined {
    const type = this.shapes.typeOf(value);
    return type?.kind === 'tensor' ? type.shape : undefined;
  }

  declare(value: Value, axes: readonly Axis[]): void {
    const shape = this.shapeOf(value);
    const agree =
      shape?.length === axes.length && axes.every((axis, i) => !isFree(axis) || axis.length === shape[i]);
    if (agree) this.known.set(value, axes);
    else {
      this.fix(axes, 'its shape is not fixed');
      this.known.set(
        value,
        shape?.map(() => 'its shape is not fixed'),
      );
    }
  }

  fix(axes: readonly Axis[], reason: string): void {
    for (const axis of axes) if (isFree(axis)) for (const label of axis) this.labels.fix(label, reason);
  }

  fixValue(value: Value, reason: string): void {
    this.fix(this.axesOf(value) ?? [], reason);
  }

  private firstAxes(value: Value): readonly Axis[] | undefined {
    const shape = this.shapeOf(value);
    if (this.inputs.has(value)) return shape?.map(() => `it is a dimension of the input "${value.name}"`);
    const constant = Graph.constantOf(value);
    if (!constant) return shape?.map(() => UNKNOWN);
    if (!isFloat(constant.dtype)) {
      const reason = constant.dtype.includes('int') ? `"${value.name}" holds integers` : UNKNOWN;
      return constant.dims.map(() => reason);
    }
    return constant.dims.map(size => this.labels.axis(size));
  }
}

const UNKNOWN = 'it is not known what makes it';

/** Follows the dimensions of all weights through a model. The model is left as it is. */
export function traceDimensions(model: Model, options: InferOptions = {}): Dependencies {
  const dependencies = new Dependencies(model, options);
  model.graph.sort();
  for (const node of model.graph.nodes) {
    if (Graph.constantOf(node.outputs[0])) continue;
    traceNode(node, dependencies);
  }
  for (const output of model.graph.outputs) {
    dependencies.fixValue(output, `it is a dimension of the output "${output.name}"`);
  }
  return dependencies;
}

function traceNode(node: Node, dependencies: Dependencies): void {
  const rule = node.subgraphs.length > 0 ? undefined : dimRuleOf(node);
  const context = new NodePass(node, dependencies);
  try {
    if (!rule) throw new Refusal('the operator is not known');
    rule.pass(context);
    context.commit();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refuse(node, dependencies, `${node.opType} "${node.label}": ${error.message}`);
  }
}

/** All that a node reads stays as it is; what its subgraphs capture too. */
function refuse(node: Node, dependencies: Dependencies, reason: string): void {
  const read = (inputs: Iterable<Value | null>): void => {
    for (const value of inputs) if (value) dependencies.fixValue(value, reason);
  };
  read(node.inputs);
  for (const graph of node.subgraphs) {
    read(graph.outputs);
    for (const inner of graph.allNodes()) {
      read(inner.inputs);
      for (const deeper of inner.subgraphs) read(deeper.outputs);
    }
  }
  for (const output of node.outputs) {
    if (output) dependencies.declare(output, dependencies.shapeOf(output)?.map(() => reason) ?? []);
  }
}

class NodePass implements PassContext {
  readonly node: Node;
  readonly opset: number;
  private readonly dependencies: Dependencies;
  private readonly contractions: Contraction[] = [];
  private readonly declared = new Map<number, readonly Axis[]>();
  /** Inputs whose axes the rule has asked for. */
  private readonly followed = new Set<number>();

  constructor(node: Node, dependencies: Dependencies) {
    this.node = node;
    this.dependencies = dependencies;
    this.opset = dependencies.opsets.get(node.domain) ?? 1;
  }

  has(input: number): boolean {
    return Boolean(this.node.inputs[input]);
  }

  axes(input: number): readonly Axis[] {
    const value = this.node.inputs[input];
    const axes = value && this.dependencies.axesOf(value);
    this.followed.add(input);
    if (!axes) throw new Refusal('a shape is not known before the model runs');
    return axes;
  }

  shape(input: number): Shape {
    const shape = this.has(input) ? this.dependencies.shapeOf(this.node.inputs[input]!) : undefined;
    if (!shape) throw new Refusal('a shape is not known before the model runs');
    return shape;
  }

  outputShape(output: number): Shape {
    const value = this.node.outputs[output];
    const shape = value && this.dependencies.shapeOf(value);
    if (!shape) throw new Refusal('a shape is not known before the model runs');
    return shape;
  }

  numbers(input: number): number[] | undefined {
    const value = this.node.inputs[input];
    const values = value ? this.dependencies.shapes.elementsOf(value)?.values : undefined;
    return values?.every(v => typeof v === 'number') ? (values as number[]) : undefined;
  }

  out(output: number, axes: readonly Axis[]): void {
    this.declared.set(output, axes);
  }

  fresh(size: number): Axis {
    return this.dependencies.labels.axis(size);
  }

  join(a: Axis, b: Axis): Axis {
    if (!isFree(a) || !isFree(b)) {
      const reason = isFree(a) ? (b as string) : a;
      this.fix([a, b], reason);
      return reason;
    }
    const { labels } = this.dependencies;
    if (a.length !== b.length) {
      this.fix([a, b], SIZES);
      return SIZES;
    }
    for (let i = 0; i < a.length; i++) labels.equate(a[i]!, b[i]!);
    return a;
  }

  fix(axes: Axis | readonly Axis[] | undefined, reason: string): void {
    if (axes === undefined) return;
    this.dependencies.fix(
      isFree(axes as Axis) || typeof axes === 'string' ? [axes as Axis] : (axes as Axis[]),
      reason,
    );
  }

  split(axis: Axis, sizes: readonly number[]): Axis[] {
    if (!isFree(axis)) return sizes.map(() => axis);
    if (sizes.reduce((a, b) => a * b, 1) !== axis.length) throw new Refusal('sizes do not fit');
    const { labels } = this.dependencies;
    if (sizes.includes(axis.length))
      return sizes.map(size => (size === axis.length ? axis : labels.axis(size)));
    const factors = sizes.map(size => labels.axis(size));
    const whole = this.product(factors, sizes) as Int32Array;
    for (let i = 0; i < axis.length; i++) labels.equate(axis[i]!, whole[i]!);
    return factors;
  }

  product(factors: readonly Axis[], sizes: readonly number[]): Axis {
    const free = factors.filter(isFree);
    if (free.length === 0)
      return factors.find((_, i) => sizes[i] !== 1) ?? factors[0] ?? 'it has one index only';
    const { labels } = this.dependencies;
    const size = sizes.reduce((a, b) => a * b, 1);
    return Int32Array.from({ length: size }, (_, flat) => {
      const parts: Label[] = [];
      let rest = flat;
      for (let k = factors.length - 1; k >= 0; k--) {
        const factor = factors[k]!;
        if (isFree(factor)) parts.unshift(factor[rest % sizes[k]!]!);
        rest = Math.floor(rest / sizes[k]!);
      }
      return labels.union(parts);
    });
  }

  concat(axes: readonly Axis[], sizes: Shape): Axis {
    if (!axes.some(isFree)) return axes[0] ?? SIZES;
    const { labels } = this.dependencies;
    const parts: number[] = [];
    for (const [i, axis] of axes.entries()) {
      const size = sizes[i];
      if (isFree(axis)) parts.push(...axis);
      else if (typeof size === 'number') {
        const fixed = labels.fixed(axis);
        for (let k = 0; k < size; k++) parts.push(fixed);
      } else {
        this.fix(axes, SIZES);
        return SIZES;
      }
    }
    return Int32Array.from(parts);
  }

  contract(input: number, axis: number): void {
    this.contractions.push({ node: this.node, input, axis });
  }

  approximate(axis: Axis, reason: string): void {
    if (isFree(axis)) for (const label of axis) this.dependencies.labels.approximate(label, reason);
  }

  /** Takes over what the rule declared; inputs and outputs that it said nothing of stay as they are. */
  commit(): void {
    this.node.inputs.forEach((value, input) => {
      if (value && !this.followed.has(input)) {
        this.dependencies.fixValue(value, `${this.node.opType} "${this.node.label}" reads it whole`);
      }
    });
    this.dependencies.contractions.push(...this.contractions);
    this.node.outputs.forEach((output, i) => {
      if (!output) return;
      const axes = this.declared.get(i);
      const reason = `${this.node.opType} "${this.node.label}" makes it`;
      if (axes) this.dependencies.declare(output, axes);
      else this.dependencies.declare(output, this.dependencies.shapeOf(output)?.map(() => reason) ?? []);
    });
  }
}

const SIZES = 'sizes are not known';
