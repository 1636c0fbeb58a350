import type { Attribute } from './attribute.js';
import { Graph } from './graph.js';

/** A model-local function: a graph whose inputs and outputs have no types, called as a node of its name. */
export interface FunctionDefinition {
  name: string;
  domain: string;
  overload: string;
  /** Attributes that a call must give. */
  attributeNames: readonly string[];
  /** Attributes with a default. */
  attributeDefaults: ReadonlyMap<string, Attribute>;
  opsets: Map<string, number>;
  graph: Graph;
  /** File-format leftovers, kept for writing. */
  extra?: unknown;
}

/** A graph with what a file says around it. */
export class Model {
  graph: Graph;
  irVersion = 10;
  /** Version of each operator set by domain; '' is ONNX's own. */
  opsets: Map<string, number> = new Map([['', 21]]);
  functions: FunctionDefinition[] = [];
  metadata: Map<string, string> = new Map();
  producerName = 'whittle';
  producerVersion = '';
  domain = '';
  modelVersion: number | bigint = 0;
  docString = '';
  /** The file that it was read from, for messages; `undefined` for one built in memory. */
  path: string | undefined;
  /** File-format leftovers (fields unknown to us), kept for writing. */
  extra: unknown;

  constructor(graph: Graph = new Graph()) {
    this.graph = graph;
  }

  get opset(): number {
    return this.opsets.get('') ?? 1;
  }
}
