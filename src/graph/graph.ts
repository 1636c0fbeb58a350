import type { AttributeInput } from './attribute.js';
import { WhittleError } from './errors.js';
import { Node, type NodeInput } from './node.js';
import { Tensor } from './tensor.js';
import { tensorType, Value, type ValueType } from './value.js';

export interface NodeOptions {
  name?: string;
  domain?: string;
  /** Names of the outputs, or how many there are (default 1). '' leaves an optional output out. */
  outputs?: number | readonly string[];
}

/**
 * A graph with ONNX semantics: a model read from disk, a network under construction, a training step, the body
 * of a loop. Values have one producer (SSA). `nodes` may be in any order while it is edited; `sort()` restores
 * the topological order that files and runtimes need, and writing does so by itself.
 */
export class Graph {
  name: string;
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly nodes: Set<Node> = new Set();
  /** Values that hold a constant, in file order. */
  readonly initializers: Set<Value> = new Set();
  /** The node whose attribute holds this graph, for a subgraph. */
  owner: Node | null = null;
  /** File-format leftovers (documentation, metadata, fields unknown to us), kept for writing. */
  extra: unknown;
  private readonly ownNames: Set<string> = new Set();

  constructor(name = 'graph') {
    this.name = name;
  }

  /** The outermost graph around this one. */
  get root(): Graph {
    return this.owner?.graph?.root ?? this;
  }

  // Building

  /** Declares an input. */
  addInput(name: string, type?: ValueType): Value {
    const value = this.newValue(name, type);
    value.declared = true;
    this.inputs.push(value);
    return value;
  }

  addOutput(value: Value, name?: string): Value {
    if (name !== undefined) value.name = name;
    value.declared = true;
    this.outputs.push(value);
    return value;
  }

  /** Adds a constant under a fresh name made from `name`. */
  constant(tensor: Tensor, name = 'constant'): Value {
    const value = this.newValue(name, tensorType(tensor.dtype, tensor.dims));
    value.initializer = tensor;
    this.initializers.add(value);
    return value;
  }

  /** Adds a node and returns its first output: `graph.op('Relu', [x])`. */
  op(
    opType: string,
    inputs: readonly NodeInput[],
    attributes?: Readonly<Record<string, AttributeInput | undefined>>,
    options?: NodeOptions,
  ): Value {
    return this.node(opType, inputs, attributes, options).output;
  }

  /** Adds a node with fresh output values and returns it. */
  node(
    opType: string,
    inputs: readonly NodeInput[],
    attributes: Readonly<Record<string, AttributeInput | undefined>> = {},
    { name = '', domain = '', outputs = 1 }: NodeOptions = {},
  ): Node {
    const names =
      typeof outputs === 'number'
        ? Array.from({ length: outputs }, (_, i) => `${name || opType.toLowerCase()}${i > 0 ? `.${i}` : ''}`)
        : outputs;
    const values = names.map(n => (n === '' ? null : this.newValue(n)));
    return this.insert(new Node(opType, inputs, values, { attributes, domain, name }));
  }

  /** Puts a node that was made elsewhere into this graph. */
  insert(node: Node): Node {
    node.graph = this;
    for (const output of node.outputs) if (output) this.ownNames.add(output.name);
    for (const graph of node.subgraphs) {
      graph.owner = node;
      this.reserveNames(graph.ownNames);
    }
    this.nodes.add(node);
    return node;
  }

  /** Puts a value that was made elsewhere under the graph's constants; it must hold an initializer. */
  adopt(value: Value): Value {
    this.ownNames.add(value.name);
    this.initializers.add(value);
    return value;
  }

  /** A value with a name that is fresh in this graph and around it. */
  newValue(name: string, type?: ValueType): Value {
    return new Value(this.freshName(name), type);
  }

  /** Marks names as taken, e.g. all those of a file, before fresh ones are made. */
  reserveNames(names: Iterable<string>): void {
    for (const name of names) this.root.ownNames.add(name);
  }

  /** Lets a name be taken again, of a value that has left the graph. */
  releaseName(name: string): void {
    this.root.ownNames.delete(name);
  }

  /** Names taken so far. */
  names(): Iterable<string> {
    return this.ownNames;
  }

  /** `base`, or `base_1`, `base_2`, …: not yet used in the whole model. Reserves it. */
  freshName(base: string): string {
    const taken = this.root.ownNames;
    let name = base;
    for (let i = 1; taken.has(name) || this.ownNames.has(name); i++) name = `${base}_${i}`;
    taken.add(name);
    return name;
  }

  // Reading

  /** The constant that a value holds: an initializer, or what a `Constant` node gives as a dense tensor. */
  static constantOf(value: NodeInput | undefined): Tensor | undefined {
    if (!value) return undefined;
    if (value.initializer) return value.initializer instanceof Tensor ? value.initializer : undefined;
    const node = value.producer;
    if (node?.opType !== 'Constant' || node.domain !== '') return undefined;
    const attribute = [...node.attributes.values()].find(a => a.type !== 'reference');
    switch (attribute?.type) {
      case 'tensor':
        return attribute.value;
      case 'float':
        return Tensor.scalar(attribute.value);
      case 'floats':
        return Tensor.float32([attribute.value.length], attribute.value);
      case 'int':
        return Tensor.int64([attribute.value], []);
      case 'ints':
        return Tensor.int64(attribute.value);
      default:
        return undefined;
    }
  }

  /** Nodes of this graph and of all its subgraphs, outer before inner. */
  *allNodes(): Generator<Node> {
    for (const node of this.nodes) {
      yield node;
      for (const graph of node.subgraphs) yield* graph.allNodes();
    }
  }

  /** Whether a value is an output of this or any graph that can see it. */
  isOutput(value: Value): boolean {
    return this.outputs.includes(value);
  }

  // Editing

  /** Removes a node; its outputs must be unused. @throws WhittleError where they are not */
  remove(node: Node): void {
    for (const output of node.outputs) {
      if (output && (output.uses.size > 0 || this.isOutput(output))) {
        throw new WhittleError(`cannot remove ${node.opType}: its output is still used`, {
          node: node.label,
          value: output.name,
        });
      }
    }
    // Nodes of subgraphs must let go of the values that they captured from outside.
    for (const graph of node.subgraphs) for (const inner of graph.allNodes()) inner.setInputs([]);
    node.setInputs([]);
    node.graph = null;
    this.nodes.delete(node);
  }

  /**
   * Makes everything that used `old` use `replacement`, subgraphs included. Where `old` is an output of the graph,
   * the replacement takes over its name, so that the model's interface stays.
   */
  replaceUses(old: Value, replacement: Value): void {
    for (const node of old.consumers) {
      node.inputs.forEach((input, i) => {
        if (input === old) node.setInput(i, replacement);
      });
    }
    for (const [i, output] of this.outputs.entries()) {
      if (output !== old) continue;
      if (replacement.initializer || this.inputs.includes(replacement) || this.isOutput(replacement)) {
        // It has a name that others rely on: keep both.
        const renamed = this.op('Identity', [replacement]);
        this.swapNames(old, renamed);
        this.outputs[i] = renamed;
      } else {
        this.swapNames(old, replacement);
        this.outputs[i] = replacement;
      }
    }
  }

  private swapNames(old: Value, replacement: Value): void {
    const name = old.name;
    old.name = this.freshName(`${name}_replaced`);
    replacement.name = name;
    replacement.type = old.type ?? replacement.type;
    replacement.declared = old.declared;
    replacement.extra = old.extra;
  }

  /**
   * Puts `nodes` into topological order, keeping the present order where it is free to choose.
   * Captures by subgraphs count as uses.
   * @throws WhittleError naming the nodes of a cycle
   */
  sort(): void {
    const waiting = new Map<Node, number>();
    const followers = new Map<Node, Node[]>();
    for (const node of this.nodes) {
      const producers = new Set<Node>();
      this.collectProducers(node, producers);
      waiting.set(node, producers.size);
      for (const producer of producers) {
        const list = followers.get(producer);
        if (list) list.push(node);
        else followers.set(producer, [node]);
      }
    }
    const order = [...this.nodes];
    const rank = new Map(order.map((node, i) => [node, i]));
    if (order.every(node => (followers.get(node) ?? []).every(f => rank.get(f)! > rank.get(node)!))) return;
    const sorted: Node[] = [];
    const ready = order.filter(node => waiting.get(node) === 0).reverse();
    while (ready.length > 0) {
      const node = ready.pop()!;
      sorted.push(node);
      const freed = (followers.get(node) ?? []).filter(f => {
        waiting.set(f, waiting.get(f)! - 1);
        return waiting.get(f) === 0;
      });
      freed.sort((a, b) => rank.get(b)! - rank.get(a)!);
      ready.push(...freed);
    }
    if (sorted.length < this.nodes.size) {
      const stuck = order.filter(node => waiting.get(node)! > 0);
      throw new WhittleError(
        `the graph has a cycle through ${stuck
          .slice(0, 4)
          .map(n => `${n.opType} "${n.label}"`)
          .join(', ')}`,
        { node: stuck[0]!.label, hint: 'The file is not a valid ONNX model; export it again' },
      );
    }
    this.nodes.clear();
    for (const node of sorted) this.nodes.add(node);
  }

  private collectProducers(node: Node, found: Set<Node>): void {
    for (const input of node.inputs) if (input?.producer?.graph === this) found.add(input.producer);
    for (const graph of node.subgraphs) {
      for (const inner of graph.nodes) this.collectProducers(inner, found);
      for (const output of graph.outputs) if (output.producer?.graph === this) found.add(output.producer);
    }
  }
}
