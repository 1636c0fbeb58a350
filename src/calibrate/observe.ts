import type { Site } from '../compress/sites.js';
import { cloneModel } from '../graph/clone.js';
import { WhittleError } from '../graph/errors.js';
import type { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Value } from '../graph/value.js';
import { createSession, type Tensors } from '../runtime/index.js';
import { type InputVectors, inputVectors, sumNodes } from './second-moment.js';

/** Sums over every vector x that a layer's weight met on the calibration inputs, in float64, group by group. */
export interface Moment {
  readonly groups: number;
  readonly width: number;
  /** How many vectors, per group. */
  count: number;
  /** Σ x xᵀ, (width, width) row-major, for each group. */
  readonly second: readonly Float64Array[];
  /** Σ x, for each group. */
  readonly first: readonly Float64Array[];
}

/** What calibration saw of a site. */
export interface Observation {
  /** For linear layers and convolutions. */
  readonly moment?: Moment;
  /** How often each row of an embedding was used. */
  readonly tokenCounts?: Float64Array;
}

export interface ObserveOptions {
  threads?: number | undefined;
  /** Bytes that the moments held at a time may take; more are gathered in further passes. Default 600 MB. */
  memory?: number;
  /** Called after each sample of each pass. */
  onSample?: (done: number, total: number) => void;
}

/** Beyond this a second moment alone would take more than half a gigabyte; such a layer has none. */
const MAX_WIDTH = 8192;

/** Bytes that a second moment takes: float64 sums, and float32 while one sample's is on its way. */
const momentBytes = ({ width, groups }: InputVectors): number => 12 * groups * width * width;

/**
 * Runs the calibration inputs through the model and gathers for each site what its weight was multiplied with. ONNX
 * Runtime computes each sample's sums inside the graph, so activations never pass through JavaScript.
 *
 * Yields the sites in groups whose moments fit into memory together: use one group before asking for the next.
 * @throws WhittleError naming the node whose activation is NaN or infinite
 */
export async function* observe(
  model: Model,
  sites: readonly Site[],
  samples: readonly Tensors[],
  options: ObserveOptions = {},
): AsyncGenerator<Map<Site, Observation>> {
  const { memory = 600e6 } = options;
  const passes: Site[][] = [];
  let room = 0;
  const seen = new Set<string>();
  for (const site of sites) {
    const fresh = (inputVectors(site) ?? []).filter(({ key, width }) => width <= MAX_WIDTH && !seen.has(key));
    const bytes = fresh.reduce((sum, vectors) => sum + momentBytes(vectors), 0);
    if (passes.length === 0 || bytes > room) {
      passes.push([]);
      seen.clear();
      room = memory;
    }
    for (const { key } of fresh) seen.add(key);
    room -= bytes;
    passes.at(-1)!.push(site);
  }
  const total = passes.length * samples.length;
  for (const [i, pass] of passes.entries()) {
    const onSample = (done: number) => options.onSample?.(i * samples.length + done, total);
    yield observePass(model, pass, samples, { ...options, onSample });
  }
}

async function observePass(
  model: Model,
  sites: readonly Site[],
  samples: readonly Tensors[],
  { threads, onSample }: { threads?: number | undefined; onSample: (done: number) => void },
): Promise<Map<Site, Observation>> {
  const values = new Map<Value, Value>();
  const copy = cloneModel(model, values);
  const copyOf = (value: Value) => values.get(value)!;
  const { graph } = copy;
  const taps = new Map<string, Tap>();
  const observations = new Map<Site, Observation>();
  const tokens: { ids: Value; counts: Float64Array }[] = [];
  for (const site of sites) {
    const vectors = inputVectors(site)?.filter(({ width }) => width <= MAX_WIDTH);
    if (vectors && vectors.length > 0) {
      for (const v of vectors) {
        const known = taps.get(v.key);
        if (!known) taps.set(v.key, new Tap(graph, v, copyOf(v.activation), model.opset));
      }
      observations.set(site, { moment: taps.get(vectors[0]!.key)!.moment });
    } else if (site.kind === 'embedding' && !site.nested) {
      const counts = new Float64Array(site.tensor.dims[0]!);
      for (const { node } of site.uses) tokens.push({ ids: node.inputs[1]!, counts });
      observations.set(site, { tokenCounts: counts });
    } else {
      observations.set(site, {});
    }
  }
  const expose = tokens
    .map(({ ids }) => ids)
    .filter(ids => !model.graph.inputs.includes(ids) && !ids.initializer);
  graph.outputs.length = 0;
  for (const tap of taps.values()) for (const value of tap.outputs) graph.addOutput(value);
  for (const ids of expose) if (!graph.isOutput(copyOf(ids))) graph.addOutput(copyOf(ids));
  if (graph.outputs.length === 0) return observations;
  const session = await createSession(copy, threads === undefined ? {} : { threads });
  try {
    for (const [i, sample] of samples.entries()) {
      const results: Tensors = { ...sample, ...(await session.run(sample)) };
      for (const tap of taps.values()) tap.add(results);
      for (const { ids, counts } of tokens) countTokens(results, ids, counts);
      onSample(i + 1);
    }
  } finally {
    await session.release();
  }
  return observations;
}

/** The extra outputs that give one kind of vectors their sums. */
class Tap {
  readonly moment: Moment;
  readonly outputs: readonly Value[];
  private readonly activation: Value;

  constructor(graph: Graph, vectors: InputVectors, activation: Value, opset: number) {
    const { groups, width } = vectors;
    this.activation = vectors.activation;
    const laidOut = vectors.build(graph, activation);
    const { second, first } = sumNodes(graph, laidOut, opset);
    const size = graph.op('Size', [laidOut]);
    this.outputs = [second, first, size];
    this.moment = {
      groups,
      width,
      count: 0,
      second: Array.from({ length: groups }, () => new Float64Array(width * width)),
      first: Array.from({ length: groups }, () => new Float64Array(width)),
    };
  }

  add(results: Tensors): void {
    const [second, first, size] = this.outputs.map(({ name }) => results[name]!);
    const { groups, width } = this.moment;
    addInto(this.moment.second, second!.toFloat32());
    addInto(this.moment.first, first!.toFloat32());
    this.moment.count += size!.toNumbers()[0]! / (groups * width);
    // The diagonal is finite only where every activation is.
    if (this.moment.second.every(s => Number.isFinite(trace(s, width)))) return;
    throw new WhittleError('an activation is NaN or infinite on the calibration inputs', {
      node: this.activation.producer?.label ?? this.activation.name,
      value: this.activation.name,
      hint: 'Check the range and the dtype of the calibration inputs, and run the model on them in ONNX Runtime',
    });
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

function countTokens(results: Tensors, ids: Value, counts: Float64Array): void {
  const tensor = results[ids.name];
  if (!tensor) return;
  for (const id of tensor.toNumbers()) {
    // ONNX counts negative indices from the end.
    const row = id < 0 ? counts.length + id : id;
    if (row >= 0 && row < counts.length) counts[row]!++;
  }
}
