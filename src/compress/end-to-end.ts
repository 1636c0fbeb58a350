import { isLarge, type Site } from '../calibrate/sites.js';
import type { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import { createSession, type Session, type Tensors } from '../runtime/index.js';
import { Agreement } from './agreement.js';
import { Distortion } from './distortion.js';
import { fromMatrix } from './matrix.js';
import type { OutputAgreement } from './report.js';
import { openWeights, type Reach, reachOf } from './suffix.js';

/** Consecutive layers, what a change of them can reach, and what that reads from before, sample by sample. */
interface Segment {
  readonly sites: readonly Site[];
  readonly reach: Reach;
  readonly before: ReadonlyMap<Value, Tensor>[];
}

/** A session in which weights are inputs. */
interface Open {
  readonly segment: Segment | undefined;
  readonly session: Session;
  readonly names: ReadonlyMap<Site, string>;
  /** Weights as they are, by the name of their input. */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** What lies before the segment, for each sample. */
  readonly feeds: readonly Tensors[];
}

/** Layers are probed in so many parts at most; each part runs the model from its first layer on. */
const SEGMENTS = 8;

/** One layer's effect shows on so few samples; whole plans are compared on all. */
const MEASURED = 8;

/** The same in a large model, whose every run takes a good part of a second. */
const MEASURED_OF_LARGE = 3;

/** Bytes that the activations between the parts may take. */
const BOUNDARY_BYTES = 256e6;

/**
 * The whole model with its weights as inputs, so that the effect of any replacement on the outputs is one run away,
 * with no session to make anew. Where only neighbouring layers change, what comes before them is not run again: ask for
 * layers in the order of the graph, since one part is kept open at a time.
 */
export class EndToEnd {
  private readonly model: Model;
  private readonly sites: readonly Site[];
  private readonly samples: readonly Tensors[];
  private readonly threads: number | undefined;
  private readonly reference: readonly Tensors[];
  private readonly segments: readonly Segment[];
  private readonly distortion: Distortion;
  private open: Open | undefined;

  private constructor(
    model: Model,
    sites: readonly Site[],
    samples: readonly Tensors[],
    threads: number | undefined,
    { reference, segments }: { reference: readonly Tensors[]; segments: readonly Segment[] },
  ) {
    this.model = model;
    this.sites = sites;
    this.samples = samples;
    this.threads = threads;
    this.reference = reference;
    this.segments = segments;
    this.distortion = new Distortion(reference);
  }

  /** @param samples on which the effect is measured; few are enough */
  static async create(
    model: Model,
    sites: readonly Site[],
    samples: readonly Tensors[],
    threads?: number,
  ): Promise<EndToEnd> {
    const reachable = sites.filter(({ nested }) => !nested);
    const runs = await referenceRuns(model, reachable, samples, threads);
    return new EndToEnd(model, reachable, samples, threads, runs);
  }

  /** Whether the site can be probed: its weight is not hidden in a subgraph. */
  reaches(site: Site): boolean {
    return this.sites.includes(site);
  }

  /**
   * Mean distortion of the outputs when weights are replaced.
   * @param replacements in matrix order
   */
  async measure(replacements: ReadonlyMap<Site, Float32Array>): Promise<number> {
    let sum = 0;
    const count = Math.min(isLarge(this.sites) ? MEASURED_OF_LARGE : MEASURED, this.samples.length);
    for await (const [i, outputs] of this.runs(replacements, count)) {
      sum += this.distortion.ofSample(i, outputs);
    }
    return sum / count;
  }

  /** The same comparison as verification makes, on the samples of the probes. */
  async agreement(replacements: ReadonlyMap<Site, Float32Array>): Promise<OutputAgreement[]> {
    const agreements = new Map<string, Agreement>();
    for await (const [i, outputs] of this.runs(replacements)) {
      for (const [name, expected] of Object.entries(this.reference[i]!)) {
        if (expected.dtype === 'string') continue;
        const agreement = agreements.get(name) ?? new Agreement(name);
        agreements.set(name, agreement);
        agreement.add(expected, outputs[name]!);
      }
    }
    return [...agreements.values()].map(agreement => agreement.result);
  }

  private async *runs(
    replacements: ReadonlyMap<Site, Float32Array>,
    count = this.samples.length,
  ): AsyncGenerator<[number, Tensors]> {
    const changed = [...replacements.keys()];
    const segment = this.segments.find(({ sites }) => changed.every(site => sites.includes(site)));
    if (this.open === undefined || this.open.segment !== segment) {
      await this.release();
      this.open = await openSession(this.model, segment, this.sites, this.samples, this.threads);
    }
    const { session, names, weights, feeds } = this.open;
    const given = { ...weights };
    for (const [site, matrix] of replacements) {
      const { dims, dtype } = site.tensor;
      given[names.get(site)!] = Tensor.fromNumbers(dtype, dims, fromMatrix(matrix, dims, site.layout));
    }
    for (let i = 0; i < count; i++) {
      yield [i, { ...this.reference[i]!, ...(await session.run({ ...feeds[i]!, ...given })) }];
    }
  }

  async release(): Promise<void> {
    await this.open?.session.release();
    this.open = undefined;
  }
}

/** Runs the model as it is: its outputs, and what lies between the segments. */
async function referenceRuns(
  model: Model,
  sites: readonly Site[],
  samples: readonly Tensors[],
  threads: number | undefined,
): Promise<{ reference: Tensors[]; segments: Segment[] }> {
  const size = Math.ceil(sites.length / SEGMENTS);
  let segments: Segment[] = [];
  for (let first = 0; first < sites.length; first += size) {
    const members = sites.slice(first, first + size);
    const reach = reachOf(model, members);
    const passes = reach.boundary.every(({ type }) => type?.kind === 'tensor' && type.dtype !== undefined);
    if (passes && reach.outputs.length > 0) segments.push({ sites: members, reach, before: [] });
  }
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  const exposed = new Set(segments.flatMap(({ reach }) => reach.boundary.map(({ name }) => name)));
  const session = await createSession(model, {
    expose: [...exposed],
    ...(threads !== undefined && { threads }),
  });
  const reference: Tensors[] = [];
  try {
    for (const sample of samples) {
      const fetched = await session.run(sample, [...new Set([...outputs, ...exposed])]);
      reference.push(Object.fromEntries([...outputs].map(name => [name, fetched[name]!])));
      for (const { reach, before } of segments) {
        before.push(new Map(reach.boundary.map(value => [value, fetched[value.name]!])));
      }
      if (reference.length > 1) continue;
      segments = thinToFit(segments, samples.length);
      const kept = new Set(segments.flatMap(({ reach }) => reach.boundary.map(({ name }) => name)));
      for (const name of exposed) if (!kept.has(name)) exposed.delete(name);
    }
  } finally {
    await session.release();
  }
  return { reference, segments };
}

/** Leaves out segments whose boundary takes more than its share; their layers are probed in the whole model. */
function thinToFit(segments: readonly Segment[], samples: number): Segment[] {
  const share = BOUNDARY_BYTES / samples / SEGMENTS;
  const bytes = ({ before }: Segment) =>
    [...before[0]!.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
  return segments.filter(segment => bytes(segment) <= share);
}

async function openSession(
  model: Model,
  segment: Segment | undefined,
  all: readonly Site[],
  samples: readonly Tensors[],
  threads: number | undefined,
): Promise<Open> {
  const sites = segment?.sites ?? all;
  const opened = openWeights(model, sites, segment?.reach);
  const session = await createSession(opened.model, threads === undefined ? {} : { threads });
  const weights: Record<string, Tensor> = {};
  for (const site of sites) {
    const { dtype, dims } = site.tensor;
    // Read once: a tensor on disk is read anew at every use.
    weights[opened.weights.get(site)!] = new Tensor(dtype, dims, site.tensor.bytes());
  }
  const feeds = samples.map((sample, i) => {
    const before = segment?.before[i] ?? new Map<Value, Tensor>();
    return { ...sample, ...Object.fromEntries([...before].map(([v, t]) => [opened.boundary.get(v)!, t])) };
  });
  return { segment, session, names: opened.weights, weights, feeds };
}
