import { cosine } from '../compress/agreement.js';
import type { Sample } from '../data/sample.js';
import { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import { intermediates, mayPass } from '../runtime/expose.js';
import { createSession, type Session, type SessionOptions } from '../runtime/index.js';
import type { DriftReport, LayerDrift } from './report.js';

/** So many values are held at a time, for each model. */
const CHUNK = 48;
const FLOATS: ReadonlySet<unknown> = new Set(['float32', 'float16', 'float64']);

/**
 * Compares the values inside of two models that have one name in both: most tools keep the names of what they rewrite.
 * A layer that was fused away, or renamed, is not there.
 * @returns the values in the order of the first model; none where no name matches
 */
export async function measureDrift(
  first: Model,
  other: Model,
  samples: readonly Sample[],
  options: SessionOptions = {},
  signal?: AbortSignal,
): Promise<DriftReport> {
  const inside = intermediates(first.graph).filter(value => value.name !== '' && mayPass(value));
  const others = new Set(
    intermediates(other.graph)
      .filter(mayPass)
      .map(({ name }) => name),
  );
  const computed = new Set([...others, ...other.graph.outputs.map(({ name }) => name)]);
  const shared = inside
    .filter(value => others.has(value.name) && !takesInNext(value, computed))
    .map(({ name }) => name);
  const ops = new Map(inside.map(value => [value.name, value.producer?.opType ?? '']));
  const known = inside.filter(({ dtype }) => dtype === undefined || FLOATS.has(dtype)).length;
  if (shared.length === 0) return { layers: [], values: known, samples: samples.length };
  const a = await createSession(first, { ...options, expose: shared });
  try {
    const b = await createSession(other, { ...options, expose: shared });
    try {
      const isFloat = (session: Session, name: string) => FLOATS.has(session.dtypes.get(name));
      const names = shared.filter(name => isFloat(a, name) && isFloat(b, name));
      const layers: LayerDrift[] = [];
      for (let start = 0; start < names.length; start += CHUNK) {
        const chunk = names.slice(start, start + CHUNK);
        const sums = new Map(chunk.map(name => [name, new DriftSum()]));
        for (const sample of samples) {
          signal?.throwIfAborted();
          const [x, y] = [await a.run(sample, chunk), await b.run(sample, chunk)];
          for (const name of chunk) sums.get(name)!.add(x[name]!, y[name]!);
        }
        for (const [value, sum] of sums) {
          if (sum.comparable) layers.push({ value, op: ops.get(value) ?? '', ...sum.result });
        }
      }
      return { layers, values: Math.max(known, layers.length), samples: samples.length };
    } finally {
      await b.release();
    }
  } finally {
    await a.release();
  }
}

/** What a rewrite can fold into the weights of the node before. */
const AFFINE: ReadonlySet<string> = new Set(['BatchNormalization', 'Mul', 'Add', 'Sub', 'Div']);

/**
 * Whether the other model has no trace of the scaling behind this value: it was folded into the weights, and the name
 * stands for what came after it.
 */
function takesInNext(value: Value, computed: ReadonlySet<string>): boolean {
  const [next, another] = value.consumers;
  if (!next || another || !AFFINE.has(next.opType)) return false;
  const parameters = next.inputs.filter(input => input && input !== value);
  const constant = parameters.every(input => Graph.constantOf(input) !== undefined);
  return constant && !computed.has(next.outputs[0]?.name ?? '');
}

class DriftSum {
  private difference = 0;
  private norm = 0;
  private cosines = 0;
  private count = 0;
  /** Whether the shapes are the same: a name alone does not make a value the same. */
  comparable = true;

  add(a: Tensor, b: Tensor): void {
    this.comparable &&= a.dims.length === b.dims.length && a.dims.every((dim, i) => dim === b.dims[i]);
    if (!this.comparable) return;
    const [x, y] = [a.toFloat32(), b.toFloat32()];
    for (let i = 0; i < x.length; i++) {
      this.difference += (x[i]! - y[i]!) ** 2;
      this.norm += x[i]! ** 2;
    }
    this.cosines += cosine(x, y);
    this.count++;
  }

  get result(): Pick<LayerDrift, 'relativeError' | 'cosine'> {
    return {
      relativeError: this.difference === 0 ? 0 : Math.sqrt(this.difference / this.norm),
      cosine: this.cosines / this.count,
    };
  }
}
