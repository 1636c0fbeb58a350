import { Graph } from '../graph.js';
import { NodeContext } from '../infer/context.js';
import { type InferOptions, inferShapes, type ShapeAnalysis } from '../infer/index.js';
import type { Model } from '../model.js';
import type { Node } from '../node.js';
import { Builder } from '../ops/builder.js';
import { type KnownElements, OPS, type OpRegistry } from '../ops/index.js';
import { Tensor } from '../tensor.js';
import { tensorType, type Value, type ValueType } from '../value.js';

/** Types of a graph's values, kept up as nodes are added at its end. */
export class Typing {
  private readonly registry: OpRegistry;
  private readonly opsets: ReadonlyMap<string, number>;
  private readonly analysis: ShapeAnalysis;
  private readonly elements: Map<Value, KnownElements> = new Map();

  /** Infers the whole graph. */
  constructor(target: Graph | Model, registry: OpRegistry, opsets: ReadonlyMap<string, number>) {
    this.registry = registry;
    this.opsets = opsets;
    const options: InferOptions = target instanceof Graph ? { registry, opsets } : { registry };
    this.analysis = inferShapes(target, options);
  }

  opsetOf(domain: string): number {
    return this.opsets.get(domain) ?? 1;
  }

  elementsOf(value: Value): KnownElements | undefined {
    return this.elements.get(value) ?? this.analysis.elementsOf(value);
  }

  numbersOf(value: Value): number[] | undefined {
    const values = this.elementsOf(value)?.values;
    return values?.every(v => typeof v === 'number') ? (values as number[]) : undefined;
  }

  /** Sets the types of a new node's outputs. */
  infer(node: Node): void {
    const context = new NodeContext(node, this.opsetOf(node.domain), {
      typeOf,
      elementsOf: value => this.elementsOf(value),
      inferGraph: (_, inputs) => [...inputs],
    });
    this.registry.of(node)?.infer?.(context);
    node.outputs.forEach((output, i) => {
      const facts = context.found[i];
      if (!output || !facts) return;
      if (facts.type) output.type = facts.type;
      if (facts.elements) this.elements.set(output, facts.elements);
    });
  }
}

function typeOf(value: Value): ValueType | undefined {
  const constant = value.initializer;
  return constant instanceof Tensor ? tensorType(constant.dtype, constant.dims) : value.type;
}

export interface TypedBuilderOptions {
  /** Operator sets of a bare graph; a model brings its own. Default: ONNX 21. */
  readonly opsets?: ReadonlyMap<string, number>;
  readonly registry?: OpRegistry;
}

/** A builder whose values have types at once. Infers the graph first. */
export function typedBuilder(target: Graph | Model, options: TypedBuilderOptions = {}): Builder {
  const { opsets = DEFAULT_OPSETS, registry = OPS } = options;
  const versions = target instanceof Graph ? opsets : target.opsets;
  const typing = new Typing(target, registry, versions);
  return new Builder(target instanceof Graph ? target : target.graph, {
    opset: typing.opsetOf(''),
    infer: node => typing.infer(node),
  });
}

export const DEFAULT_OPSETS: ReadonlyMap<string, number> = new Map([
  ['', 21],
  ['com.microsoft', 1],
]);
