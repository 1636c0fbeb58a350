import { type Attribute, type AttributeInput, toAttribute } from './attribute.js';
import { WhittleError } from './errors.js';
import type { Graph } from './graph.js';
import type { Tensor } from './tensor.js';
import type { Value } from './value.js';

/** An input of a node: a value, or `null` for an optional input left out. */
export type NodeInput = Value | null;

/**
 * One application of an operator. Inputs change only through `setInput`/`setInputs`, so that every value knows
 * its uses; outputs belong to the node for life.
 */
export class Node {
  name: string;
  readonly opType: string;
  /** '' for ONNX's own operators. */
  readonly domain: string;
  /** Distinguishes model-local functions of the same name; nearly always ''. */
  readonly overload: string;
  readonly attributes: Map<string, Attribute> = new Map();
  /** The graph that it is in; set by Graph. */
  graph: Graph | null = null;
  /** Name of the rule that autodiff uses in the place of the operator's own gradient. Not written to files. */
  gradientRule: string | undefined;
  /** File-format leftovers (documentation, metadata, fields unknown to us), kept for writing. */
  extra: unknown;
  private inputList: NodeInput[] = [];
  private readonly outputList: (Value | null)[];

  constructor(
    opType: string,
    inputs: readonly NodeInput[],
    outputs: readonly (Value | null)[],
    options: {
      attributes?: Readonly<Record<string, AttributeInput | undefined>>;
      domain?: string;
      name?: string;
      overload?: string;
    } = {},
  ) {
    this.opType = opType;
    // ONNX spells its own domain in two ways; one is enough here.
    this.domain = options.domain === 'ai.onnx' ? '' : (options.domain ?? '');
    this.name = options.name ?? '';
    this.overload = options.overload ?? '';
    this.outputList = [...outputs];
    for (const output of outputs) if (output) output.producer = this;
    for (const [name, input] of Object.entries(options.attributes ?? {})) {
      if (input !== undefined) this.attributes.set(name, toAttribute(name, input));
    }
    this.setInputs(inputs);
  }

  get outputs(): readonly (Value | null)[] {
    return this.outputList;
  }

  get inputs(): readonly NodeInput[] {
    return this.inputList;
  }

  /** The only output of a node that has one, or the first. */
  get output(): Value {
    const value = this.outputs[0];
    if (!value) throw new WhittleError(`${this.opType} has no first output`, { node: this.label });
    return value;
  }

  /** What to call it in messages: its name, or its first output's. */
  get label(): string {
    return this.name || (this.outputs.find(Boolean)?.name ?? '');
  }

  setInput(index: number, value: NodeInput): void {
    this.release(this.inputList[index] ?? null);
    while (this.inputList.length < index) this.inputList.push(null);
    this.inputList[index] = value;
    this.claim(value);
  }

  setInputs(values: readonly NodeInput[]): void {
    for (const old of this.inputList) this.release(old);
    this.inputList = [...values];
    for (const value of values) this.claim(value);
  }

  /** The subgraphs in its attributes (`If`, `Loop`, `Scan`, …). */
  get subgraphs(): Graph[] {
    return [...this.attributes.values()].flatMap(a =>
      a.type === 'graph' ? [a.value] : a.type === 'graphs' ? a.value : [],
    );
  }

  // Attribute readers: the value, the default where it is absent, an error where it has another type.

  int(name: string): number | undefined;
  int(name: string, fallback: number): number;
  int(name: string, fallback?: number): number | undefined {
    const value = this.read(name, 'int') as number | bigint | undefined;
    return value === undefined ? fallback : this.toNumber(name, value);
  }

  ints(name: string): number[] | undefined;
  ints(name: string, fallback: number[]): number[];
  ints(name: string, fallback?: number[]): number[] | undefined {
    const values = this.read(name, 'ints') as readonly (number | bigint)[] | undefined;
    return values === undefined ? fallback : values.map(v => this.toNumber(name, v));
  }

  float(name: string): number | undefined;
  float(name: string, fallback: number): number;
  float(name: string, fallback?: number): number | undefined {
    return (this.read(name, 'float') as number | undefined) ?? fallback;
  }

  floats(name: string): readonly number[] | undefined {
    return this.read(name, 'floats') as readonly number[] | undefined;
  }

  string(name: string): string | undefined;
  string(name: string, fallback: string): string;
  string(name: string, fallback?: string): string | undefined {
    const value = this.read(name, 'string') as Uint8Array | undefined;
    return value === undefined ? fallback : new TextDecoder().decode(value);
  }

  tensor(name: string): Tensor | undefined {
    return this.read(name, 'tensor') as Tensor | undefined;
  }

  /** Adds an optional output that was left out. @throws WhittleError where the node has that output already */
  addOutput(index: number, value: Value): void {
    if (this.outputList[index])
      throw new WhittleError(`output ${index} is there already`, { node: this.label });
    while (this.outputList.length < index) this.outputList.push(null);
    this.outputList[index] = value;
    value.producer = this;
  }

  setAttribute(name: string, input: AttributeInput): void {
    this.attributes.set(name, toAttribute(name, input));
  }

  private read(name: string, type: Attribute['type']): Attribute['value'] | undefined {
    const attribute = this.attributes.get(name);
    // A reference has no value before its function is inlined.
    if (attribute === undefined || attribute.type === 'reference') return undefined;
    // Writers may encode an empty list under any list type.
    if (attribute.type !== type && !(Array.isArray(attribute.value) && attribute.value.length === 0)) {
      throw new WhittleError(
        `attribute "${name}" of ${this.opType} should be of type ${type}, not ${attribute.type}`,
        { node: this.label },
      );
    }
    return attribute.value;
  }

  private toNumber(name: string, value: number | bigint): number {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) {
      throw new WhittleError(`attribute "${name}" of ${this.opType} is out of range: ${value}`, {
        node: this.label,
      });
    }
    return number;
  }

  private claim(value: NodeInput): void {
    if (value) value.uses.set(this, (value.uses.get(this) ?? 0) + 1);
  }

  private release(value: NodeInput): void {
    if (!value) return;
    const count = value.uses.get(this) ?? 0;
    if (count > 1) value.uses.set(this, count - 1);
    else value.uses.delete(this);
  }
}
