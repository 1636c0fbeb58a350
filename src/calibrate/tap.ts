import { dtypeCode } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import { tensorType, type Value } from '../graph/value.js';
import { createSession, type Session, type Tensors } from '../runtime/index.js';
import { type InputVectors, type LaidOut, type Moment, sumNodes } from './second-moment.js';

/**
 * Vectors so long are gathered from several samples before they are summed: their sum is many times as large as the few
 * that a sample brings, and would take longer to hand over than to compute.
 */
const GATHERED_FROM = 1024;

/** So many vectors are summed at once. */
const GATHERED = 1024;

export const emptyMoment = (groups: number, width: number): Moment => ({
  groups,
  width,
  count: 0,
  second: Array.from({ length: groups }, () => new Float64Array(width * width)),
  first: Array.from({ length: groups }, () => new Float64Array(width)),
});

/** The extra outputs of a model that give one kind of vectors their sums. */
export class Tap {
  readonly moment: Moment;
  readonly outputs: readonly Value[];
  private readonly activation: Value;
  private readonly gatherer: Gatherer | undefined;

  /** @param threads of ONNX Runtime, where vectors are summed apart from the model */
  constructor(graph: Graph, vectors: InputVectors, activation: Value, opset: number, threads?: number) {
    const { groups, width } = vectors;
    this.activation = vectors.activation;
    this.moment = emptyMoment(groups, width);
    // The sums of float16 numbers would leave its range.
    const wide =
      activation.dtype === 'float32'
        ? activation
        : graph.op('Cast', [activation], { to: dtypeCode('float32') });
    const laidOut = vectors.build(graph, wide, opset);
    if (groups === 1 && width >= GATHERED_FROM && laidOut.as === 'rows') {
      this.gatherer = new Gatherer(width, opset, threads);
      this.outputs = [laidOut.value];
      return;
    }
    const { second, first } = sumNodes(graph, laidOut, opset);
    this.outputs = [second, first, graph.op('Size', [laidOut.value])];
  }

  /** @throws WhittleError for NaN and infinite activations, at the latest when it is finished */
  async add(results: Tensors): Promise<void> {
    const [values, first, size] = this.outputs.map(({ name }) => results[name]!);
    if (this.gatherer) {
      for await (const sums of this.gatherer.add(values!.toFloat32())) this.addSums(sums);
      return;
    }
    const { groups, width } = this.moment;
    const count = size!.toNumbers()[0]! / (groups * width);
    this.addSums({ second: values!.toFloat32(), first: first!.toFloat32(), count });
  }

  /** Adds what waits to be summed. */
  async finish(): Promise<void> {
    const sums = await this.gatherer?.rest();
    if (sums) this.addSums(sums);
  }

  async release(): Promise<void> {
    await this.gatherer?.release();
  }

  private addSums({ second, first, count }: Sums): void {
    addInto(this.moment.second, second);
    addInto(this.moment.first, first);
    this.moment.count += count;
    // The diagonal is finite only where every activation is.
    if (this.moment.second.every(s => Number.isFinite(trace(s, this.moment.width)))) return;
    throw new WhittleError('an activation is NaN or infinite on the calibration inputs', {
      node: this.activation.producer?.label ?? this.activation.name,
      value: this.activation.name,
      hint: 'Check the range and the dtype of the calibration inputs, and run the model on them in ONNX Runtime',
    });
  }
}

/** Sums of some vectors: (groups, width, width), (groups, width), and how many per group. */
interface Sums {
  readonly second: Float32Array;
  readonly first: Float32Array;
  readonly count: number;
}

/** Collects rows from several samples, and sums them in a session of its own. */
class Gatherer {
  private readonly width: number;
  private readonly opset: number;
  private readonly threads: number | undefined;
  private readonly rows: Float32Array<ArrayBuffer>;
  private filled = 0;
  private session: Promise<Session> | undefined;
  private names: readonly string[] = [];

  constructor(width: number, opset: number, threads: number | undefined) {
    this.width = width;
    this.opset = opset;
    this.threads = threads;
    this.rows = new Float32Array(GATHERED * width);
  }

  /** Takes rows; gives their sums whenever there are enough. */
  async *add(values: Float32Array): AsyncGenerator<Sums> {
    for (let at = 0; at < values.length; ) {
      const taken = Math.min(values.length - at, this.rows.length - this.filled);
      this.rows.set(values.subarray(at, at + taken), this.filled);
      this.filled += taken;
      at += taken;
      if (this.filled === this.rows.length) yield await this.sum();
    }
  }

  /** The sums of what is left. */
  async rest(): Promise<Sums | undefined> {
    return this.filled > 0 ? this.sum() : undefined;
  }

  private async sum(): Promise<Sums> {
    const { width } = this;
    const count = this.filled / width;
    this.session ??= this.open();
    const session = await this.session;
    const x = Tensor.float32([1, count, width], this.rows.subarray(0, this.filled));
    const results = await session.run({ x });
    this.filled = 0;
    const [second, first] = this.names.map(name => results[name]!.toFloat32());
    return { second: second!, first: first!, count };
  }

  private open(): Promise<Session> {
    const graph = new Graph('sums');
    const value = graph.addInput('x', tensorType('float32', [1, 'n', this.width]));
    const rows: LaidOut = { value, as: 'rows' };
    const { second, first } = sumNodes(graph, rows, this.opset);
    for (const output of [second, first]) graph.addOutput(output);
    this.names = [second.name, first.name];
    const model = new Model(graph);
    model.opsets.set('', this.opset);
    return createSession(model, this.threads === undefined ? {} : { threads: this.threads });
  }

  async release(): Promise<void> {
    await (await this.session)?.release();
  }
}

function addInto(sums: readonly Float64Array[], values: Float32Array): void {
  let at = 0;
  for (const sum of sums) for (let i = 0; i < sum.length; i++) sum[i]! += values[at++]!;
}

function trace(matrix: Float64Array, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += matrix[i * width + i]!;
  return sum;
}
