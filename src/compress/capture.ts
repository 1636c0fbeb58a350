import type { Site } from '../calibrate/sites.js';
import { bitsOf } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import { createSession, type Tensors } from '../runtime/index.js';
import { cutOut } from './fragment.js';

/** At most so many rows of a linear layer's input are kept, evenly spaced over all samples. */
const MAX_ROWS = 4096;
/** At most so many bytes of other inputs are kept for one layer. */
const MAX_BYTES = 16e6;

/**
 * What each site's layer reads on the calibration samples: per site a list of feeds for its `cutOut` fragment. Sites
 * inside subgraphs cannot be observed and have none.
 * @throws WhittleError naming the node whose input is NaN or infinite
 */
export async function captureInputs(
  model: Model,
  sites: readonly Site[],
  samples: readonly Tensors[],
  { threads, onSample }: { threads?: number | undefined; onSample?: (done: number) => void } = {},
): Promise<Map<Site, Tensors[]>> {
  const captured = new Map<Site, Capture>();
  const wanted = new Set<Value>();
  for (const site of sites) {
    if (site.nested) continue;
    const { sources } = cutOut(site, model);
    captured.set(site, new Capture(site, sources, samples.length));
    for (const value of sources.values()) wanted.add(value);
  }
  const inputs = new Set(model.graph.inputs);
  const expose = [...wanted]
    .filter(value => !inputs.has(value) && !model.graph.isOutput(value))
    .map(v => v.name);
  const fetches = [...wanted].filter(value => !inputs.has(value)).map(value => value.name);
  const session =
    fetches.length === 0
      ? undefined
      : await createSession(model, { expose, ...(threads !== undefined && { threads }) });
  try {
    for (const [i, sample] of samples.entries()) {
      const values = { ...sample, ...(await session?.run(sample, fetches)) };
      for (const capture of captured.values()) capture.add(values);
      onSample?.(i + 1);
    }
  } finally {
    await session?.release();
  }
  return new Map(sites.map(site => [site, captured.get(site)?.runs ?? []]));
}

/** Collects the feeds of one site within its share of memory. */
class Capture {
  readonly runs: Tensors[] = [];
  private bytes = 0;
  private readonly site: Site;
  private readonly sources: ReadonlyMap<string, Value>;
  private readonly rowsPerSample: number;

  constructor(site: Site, sources: ReadonlyMap<string, Value>, samples: number) {
    this.site = site;
    this.sources = sources;
    this.rowsPerSample = Math.max(1, Math.floor(MAX_ROWS / samples));
  }

  add(values: Tensors): void {
    if (this.bytes >= MAX_BYTES) return;
    const feeds: Record<string, Tensor> = {};
    for (const [name, source] of this.sources) {
      const tensor = values[source.name]!;
      this.refuseNonFinite(tensor, source);
      feeds[name] = this.isPlainMatMul() ? thinRows(tensor, this.rowsPerSample) : tensor;
      this.bytes += feeds[name].byteLength;
    }
    this.runs.push(feeds);
  }

  /** x · W with one activation: rows of x are independent, so that some of them stand for all. */
  private isPlainMatMul(): boolean {
    return this.sources.size === 1 && this.site.uses.every(u => u.node.opType === 'MatMul' && u.index === 1);
  }

  private refuseNonFinite(tensor: Tensor, source: Value): void {
    if (tensor.dtype !== 'float32') return;
    if (tensor.toFloat32().every(Number.isFinite)) return;
    throw new WhittleError('an activation is NaN or infinite on the calibration inputs', {
      node: source.producer?.label ?? source.name,
      value: source.name,
      hint: 'Check the calibration inputs (range, dtype) and the model with them in ONNX Runtime',
    });
  }
}

/** Evenly spaced rows of a (…, width) tensor as a (rows, width) copy. */
function thinRows(tensor: Tensor, limit: number): Tensor {
  const width = tensor.dims.at(-1) ?? 1;
  const rows = tensor.size / width;
  if (tensor.dims.length < 2 || bitsOf(tensor.dtype) !== 32 || rows === 0) return tensor;
  const data = tensor.toFloat32();
  const kept = Math.min(rows, limit);
  const result = new Float32Array(kept * width);
  for (let i = 0; i < kept; i++) {
    const row = Math.floor((i * rows) / kept);
    result.set(data.subarray(row * width, (row + 1) * width), i * width);
  }
  return Tensor.float32([kept, width], result);
}
