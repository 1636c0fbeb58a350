import { instantiate } from '../clone.js';
import { WhittleError } from '../errors.js';
import type { Graph } from '../graph.js';
import { type FunctionDefinition, Model } from '../model.js';
import type { Node } from '../node.js';
import {
  elementsOf,
  type KnownElements,
  NEWEST_OPSET,
  OPS,
  type OpRegistry,
  type Runs,
  type ValueFacts,
} from '../ops/index.js';
import { Tensor } from '../tensor.js';
import { type Dim, tensorType, type Value, type ValueType } from '../value.js';
import { type FactSource, NodeContext } from './context.js';
import { inputElements, inputTypes } from './inputs.js';
import { mergeTypes } from './merge.js';

export interface InferOptions {
  readonly registry?: OpRegistry;
  /** Operator sets of a bare graph; a model brings its own. Default: the newest. */
  readonly opsets?: ReadonlyMap<string, number>;
  /** Shapes of inputs by name, in the place of the declared ones: `{ x: [1, 3, 48, 320] }`. */
  readonly inputShapes?: Readonly<Record<string, readonly Dim[]>>;
  /** Elements of small inputs whose value decides shapes or branches: `{ sr: [16000] }`. */
  readonly inputValues?: Readonly<Record<string, readonly number[]>>;
  /** 'throw' stops at the first problem. Default 'collect'. */
  readonly onProblem?: 'collect' | 'throw';
}

/** A node whose shapes contradict the rules of its operator or what the file declares. */
export interface ShapeProblem {
  /** Name of the node; `undefined` for an input of the graph. */
  readonly node: string | undefined;
  readonly value: string | undefined;
  readonly message: string;
  readonly hint: string | undefined;
  /** What the file declares of a value differs from what its node computes. */
  readonly declaration: boolean;
  /** It is in a branch of an `If` of which it is not known whether it runs. */
  readonly conditional: boolean;
}

/** What is known of the values of a graph and of its subgraphs. */
export interface ShapeAnalysis {
  typeOf(value: Value): ValueType | undefined;
  /** The shape where all dimensions are numbers, else `undefined`. */
  fixedShapeOf(value: Value): readonly number[] | undefined;
  /** Elements of small tensors that are known before the model runs. */
  elementsOf(value: Value): KnownElements | undefined;
  readonly problems: readonly ShapeProblem[];
}

/**
 * Infers types and shapes and leaves the graph as it is.
 * @throws WhittleError where `inputShapes` or `inputValues` name no input or have the wrong rank or size, where the graph has a cycle, and with
 * `onProblem: 'throw'` at the first problem
 */
export function analyzeShapes(target: Model | Graph, options: InferOptions = {}): ShapeAnalysis {
  return new Inference(target, options).run();
}

/**
 * Infers types and shapes of all values, subgraphs included, and writes them to `value.type`. What a file declares
 * is kept where inference knows less.
 * @throws WhittleError as `analyzeShapes`
 */
export function inferShapes(target: Model | Graph, options: InferOptions = {}): ShapeAnalysis {
  const inference = new Inference(target, options).run();
  inference.commit();
  return inference;
}

/** Function bodies are inferred for each call; a hostile file could nest them to any number. */
const MAX_STEPS = 2_000_000;
const MAX_DEPTH = 64;

class Inference implements ShapeAnalysis, FactSource {
  readonly problems: ShapeProblem[] = [];
  private readonly graph: Graph;
  private readonly options: InferOptions;
  private readonly registry: OpRegistry;
  private opsets: ReadonlyMap<string, number>;
  private readonly functions = new Map<string, FunctionDefinition>();
  private readonly types = new Map<Value, ValueType | undefined>();
  private readonly elements = new Map<Value, KnownElements | undefined>();
  /** Whether other input shapes make the declared shapes inside void. */
  private stale = false;
  private runs: Runs = 'always';
  private depth = 0;
  private steps = 0;

  constructor(target: Model | Graph, options: InferOptions) {
    this.options = options;
    this.registry = options.registry ?? OPS;
    this.graph = target instanceof Model ? target.graph : target;
    this.opsets =
      target instanceof Model
        ? target.opsets
        : (options.opsets ??
          new Map([
            ['', NEWEST_OPSET],
            ['com.microsoft', 1],
          ]));
    if (target instanceof Model)
      for (const f of target.functions) this.functions.set(functionKey(f.domain, f.name, f.overload), f);
  }

  run(): this {
    const { types, stale } = inputTypes(this.graph, this.options.inputShapes);
    this.stale = stale;
    for (const [value, type] of types) this.types.set(value, type);
    for (const [value, elements] of inputElements(this.graph, this.options.inputValues, types)) {
      this.elements.set(value, elements);
    }
    this.inferNodes(this.graph);
    return this;
  }

  commit(): void {
    const outputs = new Set(this.graph.outputs);
    for (const [value, type] of this.types) {
      if (!type) continue;
      // Names that the file gives to sizes of its outputs are part of its interface.
      const named = value.declared && outputs.has(value) && !this.stale;
      value.type = named ? mergeTypes(value.type, type, 'interface').type : type;
    }
  }

  typeOf(value: Value): ValueType | undefined {
    if (this.types.has(value)) return this.types.get(value);
    if (value.initializer) {
      const { dims } = value.initializer;
      const tensor = value.initializer instanceof Tensor ? value.initializer : value.initializer.values;
      return tensorType(tensor.dtype, dims);
    }
    return value.type;
  }

  fixedShapeOf(value: Value): readonly number[] | undefined {
    const type = this.typeOf(value);
    const shape = type?.kind === 'tensor' ? type.shape : undefined;
    return shape?.every(dim => typeof dim === 'number') ? shape : undefined;
  }

  elementsOf(value: Value): KnownElements | undefined {
    if (!this.elements.has(value)) {
      const tensor = value.initializer instanceof Tensor ? value.initializer : undefined;
      this.elements.set(value, tensor && elementsOf(tensor));
    }
    return this.elements.get(value);
  }

  inferGraph(graph: Graph, inputs: readonly ValueFacts[], runs: Runs): ValueFacts[] {
    graph.inputs.forEach((input, i) => {
      const facts = inputs[i];
      const prior = input.declared && !this.stale ? input.type : undefined;
      this.types.set(input, mergeTypes(prior, facts?.type, 'declared').type);
      this.elements.set(input, facts?.elements);
    });
    if (++this.depth > MAX_DEPTH) throw new WhittleError('graphs are nested too deep', { node: graph.name });
    const around = this.runs;
    // A branch inside one that never runs does not run either.
    if (around === 'always' || runs === 'never') this.runs = runs;
    try {
      this.inferNodes(graph);
    } finally {
      this.depth--;
      this.runs = around;
    }
    return graph.outputs.map(output => ({ type: this.typeOf(output), elements: this.elementsOf(output) }));
  }

  private inferNodes(graph: Graph): void {
    graph.sort();
    for (const node of graph.nodes) this.inferNode(node);
  }

  private inferNode(node: Node): void {
    if (++this.steps > MAX_STEPS) throw new WhittleError('the model takes too many steps to infer');
    let found: readonly ValueFacts[] = [];
    try {
      found = this.factsOf(node);
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error;
      this.report({
        node: node.label,
        value: error.place.value,
        message: error.message,
        hint: error.hint,
        declaration: false,
      });
    }
    node.outputs.forEach((output, i) => {
      if (output) this.record(node, output, found[i]);
    });
  }

  private factsOf(node: Node): readonly ValueFacts[] {
    const definition = this.functions.get(functionKey(node.domain, node.opType, node.overload));
    if (definition) return this.inferCall(node, definition);
    const context = new NodeContext(node, this.opsets.get(node.domain) ?? 1, this);
    this.registry.of(node)?.infer?.(context);
    return context.found;
  }

  /** Infers a copy of a function's body with the arguments of a call. */
  private inferCall(node: Node, definition: FunctionDefinition): ValueFacts[] {
    const body = instantiate(definition, node);
    const facts = node.inputs.map(
      (input): ValueFacts =>
        input ? { type: this.typeOf(input), elements: this.elementsOf(input) } : { type: undefined },
    );
    const around = this.opsets;
    this.opsets = definition.opsets;
    try {
      return this.inferGraph(body, facts, 'always');
    } finally {
      this.opsets = around;
    }
  }

  private record(node: Node, value: Value, facts: ValueFacts | undefined): void {
    const prior = this.priorOf(value);
    const { type, conflict } = mergeTypes(prior, facts?.type, value.declared ? 'declared' : 'advice');
    this.types.set(value, type);
    this.elements.set(value, facts?.elements);
    if (conflict) {
      this.report({
        node: node.label,
        value: value.name,
        message: `the file declares another type than ${node.opType} gives: ${conflict} (node "${node.label}", value "${value.name}")`,
        hint: undefined,
        declaration: true,
      });
    }
  }

  /** What was known of a node's output before, as far as it still holds. */
  private priorOf(value: Value): ValueType | undefined {
    if (!this.options.inputShapes) return value.type;
    if (!value.declared) return undefined;
    return this.stale && value.type?.kind === 'tensor' ? tensorType(value.type.dtype) : value.type;
  }

  private report(found: Omit<ShapeProblem, 'conditional'>): void {
    if (this.runs === 'never') return;
    const problem = { ...found, conditional: this.runs === 'maybe' };
    // Bodies of loops are inferred more than once.
    if (this.problems.some(p => p.message === problem.message)) return;
    if (this.options.onProblem === 'throw' && !problem.conditional) {
      throw new WhittleError(problem.message, problem.hint ? { hint: problem.hint } : {});
    }
    this.problems.push(problem);
  }
}

const functionKey = (domain: string, name: string, overload: string): string =>
  `${domain}\n${name}\n${overload}`;
