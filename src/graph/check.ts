import { WhittleError } from './errors.js';
import type { Graph } from './graph.js';
import { analyzeShapes } from './infer/index.js';
import type { Model } from './model.js';
import type { Node } from './node.js';
import { OPS, type OpRegistry, STANDARD_OPERATORS } from './ops/index.js';
import type { Value } from './value.js';

/** A rule of ONNX that a model breaks. */
export interface Problem {
  /** An `error` keeps runtimes from loading or running the model. */
  readonly severity: 'error' | 'warning';
  readonly node: string | undefined;
  readonly value: string | undefined;
  readonly message: string;
  /** The way out. */
  readonly hint: string | undefined;
}

export interface CheckOptions {
  readonly registry?: OpRegistry;
}

/**
 * Checks a model, its subgraphs and its functions: operators known to their operator sets, inputs and attributes that
 * they require, every value made once, before its uses and where they can see it, names that are unique, outputs that
 * something produces, and types and shapes that fit. Weights are not read; see `findNonFinite`.
 *
 * Nodes may stand in any order while a graph is edited, and writing sorts them, so that only a cycle is an error.
 */
export function checkModel(model: Model, options: CheckOptions = {}): Problem[] {
  const check = new Check(model, options.registry ?? OPS);
  check.graph(model.graph, model.opsets, new Set());
  for (const definition of model.functions) check.graph(definition.graph, definition.opsets, new Set());
  for (const input of model.graph.inputs) {
    if (!input.type)
      check.add('error', undefined, input, 'an input of the model has no type', 'Declare its dtype');
  }
  // On a broken graph inference would report what follows from the first mistake.
  if (check.problems.every(problem => problem.severity === 'warning')) check.shapes();
  return check.problems;
}

class Check {
  readonly problems: Problem[] = [];
  private readonly model: Model;
  private readonly registry: OpRegistry;
  private readonly functions: ReadonlySet<string>;

  constructor(model: Model, registry: OpRegistry) {
    this.model = model;
    this.registry = registry;
    this.functions = new Set(model.functions.map(f => `${f.domain}.${f.name}`));
  }

  add(
    severity: Problem['severity'],
    node: Node | undefined,
    value: Value | undefined,
    message: string,
    hint?: string,
  ): void {
    this.problems.push({ severity, node: node?.label, value: value?.name, message, hint });
  }

  /** @param outside values that the graphs around it define */
  graph(graph: Graph, opsets: ReadonlyMap<string, number>, outside: ReadonlySet<Value>): void {
    const visible = this.definitions(graph, outside);
    const done = new Set<Value>([...outside, ...graph.inputs, ...graph.initializers]);
    const names = new Set<string>();
    let sorted = true;
    for (const node of graph.nodes) {
      if (node.name !== '' && names.has(node.name)) {
        this.add('warning', node, undefined, `two nodes are named "${node.name}"`);
      }
      names.add(node.name);
      this.operator(node, opsets);
      for (const input of node.inputs) {
        if (!input) continue;
        if (!visible.has(input)) this.undefinedInput(node, input);
        else if (!done.has(input)) sorted = false;
      }
      // A subgraph sees what stands before its node; that order is the sort's to keep.
      for (const inner of node.subgraphs) this.graph(inner, opsets, visible);
      for (const output of node.outputs) if (output) done.add(output);
    }
    for (const output of graph.outputs) {
      if (!visible.has(output)) {
        this.add(
          'error',
          undefined,
          output,
          `nothing produces the output "${output.name}" of graph "${graph.name}"`,
        );
      }
    }
    if (!sorted) this.cycles(graph);
  }

  shapes(): void {
    for (const problem of analyzeShapes(this.model, { registry: this.registry }).problems) {
      this.problems.push({
        severity: problem.declaration || problem.conditional ? 'warning' : 'error',
        node: problem.node,
        value: problem.value,
        message: problem.message,
        hint: problem.hint,
      });
    }
  }

  /** All values that a graph's nodes can see, whatever their order; complains of those that are defined twice. */
  private definitions(graph: Graph, outside: ReadonlySet<Value>): Set<Value> {
    const own = new Set<Value>([...graph.inputs, ...graph.initializers]);
    const names = new Map<string, Value>();
    const claim = (value: Value, node?: Node): void => {
      if (value.name === '') this.add('error', node, value, 'a value has no name');
      const other = names.get(value.name);
      if (other && other !== value) {
        this.add('error', node, value, `two values are named "${value.name}"`, 'Rename one of them');
      }
      names.set(value.name, value);
    };
    for (const value of own) claim(value);
    for (const input of graph.inputs) {
      if (graph.inputs.indexOf(input) !== graph.inputs.lastIndexOf(input)) {
        this.add('error', undefined, input, 'the graph has an input twice');
      }
    }
    for (const node of graph.nodes) {
      for (const output of node.outputs) {
        if (!output) continue;
        if (own.has(output) || outside.has(output)) {
          this.add('error', node, output, `"${output.name}" is defined twice; each value has one producer`);
        }
        own.add(output);
        claim(output, node);
      }
    }
    for (const value of outside) {
      if (names.has(value.name)) {
        this.add(
          'error',
          undefined,
          value,
          `a subgraph hides "${value.name}" of the graph around it`,
          'Rename it',
        );
      }
    }
    return new Set([...outside, ...own]);
  }

  private undefinedInput(node: Node, input: Value): void {
    const where = input.producer ? 'is made in a graph that this node cannot see' : 'is defined nowhere';
    this.add('error', node, input, `input "${input.name}" of ${node.opType} ${where}`);
  }

  private cycles(graph: Graph): void {
    try {
      graph.sort();
    } catch (error) {
      if (!(error instanceof WhittleError)) throw error;
      const { node, value } = error.place;
      this.problems.push({ severity: 'error', node, value, message: error.message, hint: error.hint });
    }
  }

  private operator(node: Node, opsets: ReadonlyMap<string, number>): void {
    const { opType, domain } = node;
    if (this.functions.has(`${domain}.${opType}`)) return;
    const version = opsets.get(domain);
    if (version === undefined) {
      const name = domain === '' ? 'the ONNX operators' : `domain "${domain}"`;
      this.add('error', node, undefined, `${opType} belongs to ${name}, which the model does not import`);
    }
    const schema =
      domain === '' && Object.hasOwn(STANDARD_OPERATORS, opType) ? STANDARD_OPERATORS[opType] : undefined;
    const definition = this.registry.of(node);
    if (domain === '' && !schema && !definition) {
      this.add('error', node, undefined, `ONNX has no operator ${opType}`, 'It may belong to another domain');
      return;
    }
    if (schema && version !== undefined) this.version(node, schema.since, schema.until, version);
    const arity = definition?.inputs ?? schema?.inputs;
    if (arity) this.arity(node, arity);
    for (const name of definition?.required ?? schema?.required ?? []) {
      if (!node.attributes.has(name)) {
        this.add('error', node, undefined, `${opType} needs the attribute "${name}"`);
      }
    }
  }

  private version(node: Node, since: number, until: number | undefined, version: number): void {
    if (version < since) {
      this.add(
        'error',
        node,
        undefined,
        `${node.opType} exists since opset ${since}; the model imports ${version}`,
        `Raise the model's opset to ${since}`,
      );
    }
    if (until !== undefined && version >= until) {
      this.add(
        'error',
        node,
        undefined,
        `${node.opType} was removed in opset ${until}; the model imports ${version}`,
      );
    }
  }

  private arity(node: Node, [fewest, most]: readonly [number, number]): void {
    const { inputs, opType } = node;
    if (inputs.length > most) {
      this.add('error', node, undefined, `${opType} takes at most ${most} inputs, not ${inputs.length}`);
    }
    const missing = Array.from({ length: fewest }, (_, i) => i).find(i => !inputs[i]);
    if (missing !== undefined) {
      this.add(
        'error',
        node,
        undefined,
        `${opType} needs at least ${fewest} inputs; input ${missing} is missing`,
      );
    }
  }
}
