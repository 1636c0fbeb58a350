import type { DType } from '../dtype.js';
import { WhittleError } from '../errors.js';
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import {
  type InferContext,
  type KnownElements,
  MAX_KNOWN_ELEMENTS,
  type Runs,
  type ValueFacts,
} from '../ops/definition.js';
import { type Dim, type Shape, tensorType, type Value, type ValueType } from '../value.js';

/** What a node's inference asks of the run that it is part of. */
export interface FactSource {
  typeOf(value: Value): ValueType | undefined;
  elementsOf(value: Value): KnownElements | undefined;
  inferGraph(graph: Graph, inputs: readonly ValueFacts[], runs: Runs): ValueFacts[];
}

/** Collects what inference finds of one node. */
export class NodeContext implements InferContext {
  readonly node: Node;
  readonly opset: number;
  readonly found: ValueFacts[] = [];
  private readonly source: FactSource;

  constructor(node: Node, opset: number, source: FactSource) {
    this.node = node;
    this.opset = opset;
    this.source = source;
  }

  has(input: number): boolean {
    return Boolean(this.node.inputs[input]);
  }

  type(input: number): ValueType | undefined {
    const value = this.node.inputs[input];
    return value ? this.source.typeOf(value) : undefined;
  }

  dtype(input: number): DType | undefined {
    const type = this.type(input);
    return type?.kind === 'tensor' ? type.dtype : undefined;
  }

  shape(input: number): Shape | undefined {
    const type = this.type(input);
    return type?.kind === 'tensor' ? type.shape : undefined;
  }

  elements(input: number): KnownElements | undefined {
    const value = this.node.inputs[input];
    return value ? this.source.elementsOf(value) : undefined;
  }

  numbers(input: number): number[] | undefined {
    const values = this.elements(input)?.values;
    return values?.every(v => typeof v === 'number') ? (values as number[]) : undefined;
  }

  hasOutput(output: number): boolean {
    return Boolean(this.node.outputs[output]);
  }

  set(output: number, dtype: DType | undefined, shape?: Shape): void {
    const bad = shape?.find(dim => typeof dim === 'number' && !(Number.isSafeInteger(dim) && dim >= 0));
    if (bad !== undefined) this.fail(`the output would have a dimension of ${bad}`);
    this.setType(output, dtype || shape ? tensorType(dtype, shape) : undefined);
  }

  setType(output: number, type: ValueType | undefined): void {
    if (this.hasOutput(output)) this.found[output] = { type };
  }

  setElements(output: number, values: readonly Dim[] | undefined): void {
    const type = this.found[output]?.type;
    if (!values || type?.kind !== 'tensor' || values.length > MAX_KNOWN_ELEMENTS) return;
    const dims = type.shape;
    if (!dims?.every(dim => typeof dim === 'number')) return;
    const size = (dims as number[]).reduce((product, dim) => product * dim, 1);
    if (size !== values.length || values.every(value => value === null)) return;
    this.found[output] = { type, elements: { dims, values } };
  }

  inferGraph(graph: Graph, inputs: readonly ValueFacts[], runs: Runs = 'always'): ValueFacts[] {
    return this.source.inferGraph(graph, inputs, runs);
  }

  fail(problem: string, hint?: string): never {
    throw new WhittleError(`${this.node.opType}: ${problem}`, {
      node: this.node.label,
      ...(hint && { hint }),
    });
  }
}
