import { Typing } from '../graph/autodiff/typing.js';
import type { DType } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { OPS } from '../graph/ops/index.js';
import { sizeOf, Tensor } from '../graph/tensor.js';
import { type Shape, tensorType, type Value } from '../graph/value.js';
import type { Initializer } from './initializers.js';
import type { FactorizedLayer, Layer } from './layer.js';
import { fansOf, initialTensor, type Parameter, type ParameterKind } from './parameter.js';
import { checkDims } from './sizes.js';

/**
 * The operator set of built networks: the lowest with a sound GroupNormalization (21) that also has Gelu (20) and
 * LayerNormalization (17). ONNX Runtime runs it since 1.18, in Node and on the web.
 */
export const OPSET = 21;

export interface NetworkOptions {
  /** Build the training form: BatchNorm uses batch statistics, dropout drops. Default false. */
  readonly training?: boolean;
  /** Seed of the initial parameters. Default 0. */
  readonly seed?: number;
}

export interface ParameterOptions {
  readonly kind: ParameterKind;
  readonly initializer: Initializer;
  /** Default true, except for buffers. */
  readonly trainable?: boolean;
  /** Fans where `dims` is not laid out (out, in, ...kernel). */
  readonly fanIn?: number;
  readonly fanOut?: number;
}

/**
 * A graph together with what it does not say by itself: which of its constants are parameters and what each is for,
 * where its layers are, and how its running statistics move. Parameters are ordinary initializers of the graph, so
 * that it can be written and run as it is.
 */
export class Network {
  readonly graph: Graph;
  readonly training: boolean;
  readonly seed: number;
  /** By state-dict name, in order of building. */
  readonly parameters: Map<string, Parameter> = new Map();
  /** Further state-dict names of shared parameters: `lm_head.weight` → `transformer.wte.weight`. */
  readonly aliases: Map<string, string> = new Map();
  /** Layers by path, for methods that replace or regularize them. */
  readonly layers: Map<string, Layer> = new Map();
  /** Layers that are products of factors, by path. */
  readonly factorized: Map<string, FactorizedLayer> = new Map();
  /** In training form: the next value of each buffer, by the buffer's name. Not outputs of the graph by themselves. */
  readonly updates: Map<string, Value> = new Map();
  /** Constants of operators (shapes, axes, numbers), shared by what they hold. */
  readonly constants: Map<string, Value> = new Map();
  /** Operator sets that the graph's nodes belong to; another than the usual for a network around an imported graph. */
  opsets: ReadonlyMap<string, number> = new Map([['', OPSET]]);
  /** Prefix of names that checkpoints of the model without its head leave out, e.g. `bert.`. */
  basePrefix = '';
  private readonly nodeNames: Map<string, number> = new Map();
  private typing: Typing | undefined;

  constructor({ training = false, seed = 0 }: NetworkOptions = {}, graph = new Graph('network')) {
    this.training = training;
    this.seed = seed;
    this.graph = graph;
  }

  get inputs(): readonly Value[] {
    return this.graph.inputs;
  }

  get outputs(): readonly Value[] {
    return this.graph.outputs;
  }

  /**
   * Declares an input; symbolic dimensions are names: `['batch', 3, 32, 32]`.
   * @throws WhittleError for dimensions that are no whole numbers
   */
  input(name: string, dtype: DType, shape: Shape): Value {
    checkDims(name, shape);
    return this.graph.addInput(name, tensorType(dtype, shape));
  }

  /** Declares an output under a name of its own. @throws WhittleError where the name is taken */
  output(name: string, value: Value): Value {
    if (this.graph.freshName(name) !== name) {
      throw new WhittleError('the network has this name already', {
        value: name,
        hint: 'Give it another name, or build it in a scope of its own',
      });
    }
    // What has a name that others rely on keeps it.
    const named = value.producer && !this.graph.isOutput(value) ? value : this.graph.op('Identity', [value]);
    named.type ??= value.type;
    return this.graph.addOutput(named, name);
  }

  /**
   * Adds a parameter under exactly this name.
   * @throws WhittleError where the name is taken, and for dimensions that are no whole numbers
   */
  addParameter(name: string, dims: readonly number[], options: ParameterOptions): Parameter {
    checkDims(name, dims);
    const shape = { ...fansOf(dims), ...pick(options), dims };
    const value = this.graph.constant(initialTensor(name, shape, options.initializer, this.seed), name);
    if (value.name !== name) {
      this.graph.initializers.delete(value);
      throw new WhittleError('the network has this name already', {
        value: name,
        hint: 'Give it another name, or build it in a scope of its own',
      });
    }
    const { kind, initializer, trainable = kind !== 'buffer' } = options;
    const parameter: Parameter = { name, value, kind, trainable, initializer, ...shape };
    this.parameters.set(name, parameter);
    return parameter;
  }

  /** The parameter of that name or alias. @throws WhittleError where there is none */
  parameter(name: string): Parameter {
    const parameter = this.parameters.get(this.aliases.get(name) ?? name);
    if (!parameter)
      throw new WhittleError('the network has no such parameter', {
        value: name,
        hint: '`network.parameters` has the names of all',
      });
    return parameter;
  }

  /** The present tensor of a parameter. */
  tensor(name: string): Tensor {
    const { value } = this.parameter(name);
    if (value.initializer instanceof Tensor) return value.initializer;
    throw new WhittleError('the parameter holds no tensor; it was turned into an input', { value: name });
  }

  /** Gives a parameter a new tensor. @throws WhittleError where the shape differs */
  setTensor(name: string, tensor: Tensor): void {
    const { value, dims } = this.parameter(name);
    if (tensor.dims.length !== dims.length || tensor.dims.some((dim, i) => dim !== dims[i])) {
      throw new WhittleError(
        `the parameter has shape [${dims.join(', ')}], the new tensor [${tensor.dims.join(', ')}]`,
        { value: name },
      );
    }
    value.initializer = tensor;
    value.type = tensorType(tensor.dtype, tensor.dims);
  }

  /** A node name that no other node of the network has: ONNX Runtime insists on that. */
  nodeName(base: string): string {
    let count = this.nodeNames.get(base) ?? 0;
    let name = base;
    while (this.nodeNames.has(name)) name = `${base}_${count++}`;
    this.nodeNames.set(base, count);
    this.nodeNames.set(name, 1);
    return name;
  }

  /** Marks the names of the graph's nodes as taken; for a network around a graph that has nodes. */
  reserveNodeNames(): void {
    for (const { name } of this.graph.nodes) this.nodeNames.set(name, 1);
  }

  /** Sets the types of a new node's outputs from those of its inputs. */
  inferTypes(node: Node): void {
    this.typing ??= new Typing(this.graph, OPS, this.opsets);
    this.typing.infer(node);
  }

  /** Number of elements of all parameters that learn (default), or of all, buffers included. */
  parameterCount(which: 'trainable' | 'all' = 'trainable'): number {
    let count = 0;
    for (const { trainable, dims } of this.parameters.values()) {
      if (trainable || which === 'all') count += sizeOf(dims);
    }
    return count;
  }

  /** Computes all initial values now and keeps them in memory, rather than at each look. */
  materialize(): void {
    for (const { name } of this.parameters.values()) {
      const tensor = this.tensor(name);
      if (!tensor.resident) this.setTensor(name, new Tensor(tensor.dtype, tensor.dims, tensor.bytes()));
    }
  }

  /** The network as it stands, ready to be written or run. The model shares the graph. */
  toModel(): Model {
    const model = new Model(this.graph);
    model.opsets = new Map(this.opsets);
    return model;
  }
}

const pick = ({ fanIn, fanOut }: ParameterOptions): { fanIn?: number; fanOut?: number } => ({
  ...(fanIn !== undefined && { fanIn }),
  ...(fanOut !== undefined && { fanOut }),
});
