import { cloneModel } from '../graph/clone.js';
import type { Model } from '../graph/model.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';
import { createSession, type Tensors } from '../runtime/index.js';
import { type InputVectors, inputVectors, type Moment } from './second-moment.js';
import type { Site } from './sites.js';
import { emptyMoment, Tap } from './tap.js';

export type { Moment };

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
    const all = observable(site);
    const fresh = all.filter(({ key }) => !seen.has(key));
    // Uses of one weight have a sum besides.
    const bytes = [...fresh, ...all.slice(1, 2)].reduce((sum, vectors) => sum + momentBytes(vectors), 0);
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
  const tapsOf = new Map<Site, Tap[]>();
  const tokens = new Map<Site, Float64Array>();
  for (const site of sites) {
    const vectors = observable(site);
    for (const v of vectors) {
      if (!taps.has(v.key)) taps.set(v.key, new Tap(graph, v, copyOf(v.activation), model.opset, threads));
    }
    if (vectors.length > 0) {
      tapsOf.set(
        site,
        vectors.map(({ key }) => taps.get(key)!),
      );
    } else if (site.kind === 'embedding' && !site.nested) {
      tokens.set(site, new Float64Array(site.tensor.dims[0]!));
    }
  }
  const expose = new Set(
    [...tokens.keys()].flatMap(tokenIds).filter(ids => !model.graph.inputs.includes(ids) && !ids.initializer),
  );
  graph.outputs.length = 0;
  for (const tap of taps.values()) for (const value of tap.outputs) graph.addOutput(value);
  for (const ids of expose) if (!graph.isOutput(copyOf(ids))) graph.addOutput(copyOf(ids));
  // What comes after the layers of this pass need not run.
  removeDead(graph);
  const session =
    graph.outputs.length === 0
      ? undefined
      : await createSession(copy, threads === undefined ? {} : { threads });
  try {
    for (const [i, sample] of samples.entries()) {
      const results: Tensors = { ...sample, ...(await session?.run(sample)) };
      for (const tap of taps.values()) await tap.add(results);
      for (const [site, counts] of tokens) {
        for (const ids of tokenIds(site)) countTokens(results, ids, counts);
      }
      onSample(i + 1);
    }
    for (const tap of taps.values()) await tap.finish();
  } finally {
    await session?.release();
    for (const tap of taps.values()) await tap.release();
  }
  for (const { moment } of taps.values()) for (const second of moment.second) mirror(second, moment.width);
  return new Map(
    sites.map(site => {
      const tokenCounts = tokens.get(site);
      const moments = tapsOf.get(site)?.map(tap => tap.moment);
      return [site, tokenCounts ? { tokenCounts } : moments ? { moment: sumOf(moments) } : {}];
    }),
  );
}

/** The vectors of a site whose second moment can be held. */
const observable = (site: Site): InputVectors[] =>
  (inputVectors(site) ?? []).filter(({ width }) => width <= MAX_WIDTH);

const tokenIds = ({ uses }: Site): Value[] =>
  uses.filter(({ node }) => node.opType === 'Gather').map(({ node }) => node.inputs[1]!);

/** What several uses of one weight read, together. */
function sumOf(moments: readonly Moment[]): Moment {
  if (moments.length === 1) return moments[0]!;
  const { groups, width } = moments[0]!;
  const sum = emptyMoment(groups, width);
  for (const { count, second, first } of moments) {
    sum.count += count;
    for (let g = 0; g < groups; g++) {
      for (let i = 0; i < width * width; i++) sum.second[g]![i]! += second[g]![i]!;
      for (let i = 0; i < width; i++) sum.first[g]![i]! += first[g]![i]!;
    }
  }
  return sum;
}

/** Sums of x xᵀ in float32 are symmetric but for rounding; here they become so. */
function mirror(matrix: Float64Array, width: number): void {
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) matrix[j * width + i] = matrix[i * width + j]!;
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
