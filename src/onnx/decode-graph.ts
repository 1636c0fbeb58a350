import type { Attribute } from '../graph/attribute.js';
import { Graph } from '../graph/graph.js';
import { Node } from '../graph/node.js';
import { SparseTensor } from '../graph/sparse.js';
import type { Tensor } from '../graph/tensor.js';
import { tensorType, Value } from '../graph/value.js';
import { type DecodeContext, failDecode } from './context.js';
import { decodeAttribute } from './decode-attribute.js';
import { decodeSparse, decodeTensor } from './decode-tensor.js';
import { keep, listedTwice } from './leftovers.js';
import type { Message } from './schema.js';
import { Scope } from './scope.js';
import { decodeType, saysType } from './types.js';

type ValueInfo = Message<'ValueInfoProto'>;

/**
 * A graph of a file, its subgraphs included.
 * @throws WhittleError where a name has two producers or none, or nodes form a cycle
 */
export function decodeGraph(context: DecodeContext, message: Message<'GraphProto'>): Graph {
  const graph = new Graph(message.name ?? '');
  const names = new GraphDecoder(context, graph, new Scope()).decode(message);
  graph.reserveNames(names);
  return graph;
}

/** The body of a model-local function: as a graph, but inputs and outputs are bare names. */
export function decodeFunctionBody(context: DecodeContext, message: Message<'FunctionProto'>): Graph {
  const bare = (names: readonly string[] = []): ValueInfo[] => names.map(name => ({ name }));
  const { node, valueInfo } = message;
  const body: Message<'GraphProto'> = { input: bare(message.input), output: bare(message.output) };
  if (message.name !== undefined) body.name = message.name;
  if (node) body.node = node;
  if (valueInfo) body.valueInfo = valueInfo;
  return decodeGraph(context, body);
}

class GraphDecoder {
  private readonly context: DecodeContext;
  private readonly graph: Graph;
  private readonly scope: Scope;
  /** All names of this graph and those inside it. */
  private readonly names: Set<string> = new Set();
  private readonly inputNames: Set<string> = new Set();

  constructor(context: DecodeContext, graph: Graph, scope: Scope) {
    this.context = context;
    this.graph = graph;
    this.scope = scope;
  }

  decode(message: Message<'GraphProto'>): Set<string> {
    const { name: _, node = [], initializer, sparseInitializer, input, output, valueInfo, ...rest } = message;
    for (const info of input ?? []) this.addInput(info);
    for (const tensor of initializer ?? []) {
      const name = tensor.name ?? '';
      this.addConstant(name, decodeTensor(this.context, { ...tensor, name: undefined }, name));
    }
    for (const sparse of sparseInitializer ?? []) {
      const name = sparse.values?.name ?? '';
      this.addConstant(name, decodeSparse(this.context, sparse, name));
    }
    // A subgraph, or a file out of order, may use a name before the node that gives it has been read.
    const outputs = node.map(n => this.defineOutputs(n));
    const interfaceNames = new Set([...(input ?? []), ...(output ?? [])].map(info => info.name ?? ''));
    const dangling = (valueInfo ?? []).filter(
      info => !this.describe(info, interfaceNames.has(info.name ?? '')),
    );
    for (const info of output ?? []) this.graph.outputs.push(this.resolveOutput(info));
    node.forEach((n, i) => this.addNode(n, outputs[i]!));
    this.graph.extra = keep('GraphProto', dangling.length > 0 ? { ...rest, valueInfo: dangling } : rest);
    for (const info of dangling) this.names.add(info.name ?? '');
    for (const name of this.scope.names()) this.names.add(name);
    this.graph.sort();
    return this.names;
  }

  private addInput(info: ValueInfo): void {
    const value = new Value(info.name ?? '');
    if (!this.scope.define(value)) this.failTwice('input', value.name);
    applyInfo(value, info);
    this.inputNames.add(value.name);
    this.graph.inputs.push(value);
  }

  private addConstant(name: string, constant: Tensor | SparseTensor): void {
    // An initializer may give an input its default.
    const value = this.scope.own(name) ?? new Value(name);
    if (value.initializer) this.failTwice('initializer', name);
    this.scope.define(value);
    const dtype = constant instanceof SparseTensor ? constant.values.dtype : constant.dtype;
    value.type ??= tensorType(dtype, constant.dims);
    value.initializer = constant;
    this.graph.initializers.add(value);
  }

  private defineOutputs(message: Message<'NodeProto'>): (Value | null)[] {
    return (message.output ?? []).map(name => {
      if (name === '') return null;
      const value = new Value(name);
      if (!this.scope.define(value)) this.failTwice(`output of node "${labelOf(message)}"`, name);
      return value;
    });
  }

  /** Gives a value the type that `value_info` has for it; false where no value is called so. */
  private describe(info: ValueInfo, ofInterface: boolean): boolean {
    const value = this.scope.own(info.name ?? '');
    if (!value) return false;
    if (ofInterface && !listedTwice.has(value)) listedTwice.add(value);
    else if (value.declared || value.extra) return false;
    if (!value.declared) applyInfo(value, info);
    return true;
  }

  private resolveOutput(info: ValueInfo): Value {
    const name = info.name ?? '';
    const value = this.scope.resolve(name);
    if (!value) {
      return failDecode(this.context, `graph output "${name}" is produced by nothing`, { value: name });
    }
    // An input that is passed through, or a value from outside, has been described where it was declared.
    if (this.scope.own(name) === value && !this.inputNames.has(name)) applyInfo(value, info);
    return value;
  }

  private addNode(message: Message<'NodeProto'>, outputs: readonly (Value | null)[]): void {
    const {
      input = [],
      output: _,
      name = '',
      opType = '',
      domain = '',
      overload = '',
      attribute = [],
      ...rest
    } = message;
    const label = labelOf(message);
    const inputs = input.map(inputName => {
      if (inputName === '') return null;
      const value = this.scope.resolve(inputName);
      if (value) return value;
      return failDecode(this.context, `${opType} uses a value that nothing produces`, {
        node: label,
        value: inputName,
      });
    });
    const attributes = new Map<string, Attribute>();
    for (const item of attribute) {
      const key = item.name ?? '';
      if (attributes.has(key)) {
        failDecode(this.context, `${opType} has the attribute "${key}" twice`, { node: label });
      }
      attributes.set(
        key,
        decodeAttribute(this.context, item, label, body => this.subgraph(body)),
      );
    }
    const node = new Node(opType, inputs, outputs, { domain, name, overload });
    for (const [key, value] of attributes) node.attributes.set(key, value);
    node.extra = keep('NodeProto', rest);
    this.graph.insert(node);
  }

  private subgraph(message: Message<'GraphProto'>): Graph {
    const graph = new Graph(message.name ?? '');
    const inner = new GraphDecoder(this.context, graph, new Scope(this.scope));
    for (const name of inner.decode(message)) this.names.add(name);
    return graph;
  }

  private failTwice(what: string, name: string): never {
    return failDecode(this.context, `${what} "${name}" has the name of another value of its graph`, {
      value: name,
    });
  }
}

function applyInfo(value: Value, info: ValueInfo): void {
  const { name: _, ...left } = info;
  if (left.type && saysType(left.type)) {
    value.type = decodeType(left.type);
    value.declared = true;
    delete left.type;
  }
  value.extra = keep('ValueInfoProto', left) ?? value.extra;
}

const labelOf = (message: Message<'NodeProto'>): string =>
  message.name || message.output?.[0] || message.opType || '';
