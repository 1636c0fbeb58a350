import type { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Value } from '../graph/value.js';
import type { Decision } from './choose.js';
import type { CompressReport, LayerReport } from './report.js';
import type { Site } from './sites.js';

/** Names and types of a model's interface. */
export function describeModel(model: Model): CompressReport['model'] {
  const describe = (values: readonly Value[]) =>
    values.map(({ name, dtype, shape }) => ({ name, dtype: dtype ?? 'unknown', shape: [...(shape ?? [])] }));
  const inputs = model.graph.inputs.filter(value => !value.initializer);
  return {
    ...(model.path !== undefined && { path: model.path }),
    name: model.path?.split(/[\\/]/).at(-1) ?? model.graph.name,
    opset: model.opset,
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(' '),
    inputs: describe(inputs),
    outputs: describe(model.graph.outputs),
  };
}

/** One row of the before/after table. */
export function describeLayer(site: Site, decision: Decision | undefined, error: number): LayerReport {
  const chosen = decision?.chosen;
  const before = site.tensor.byteLength;
  return {
    weight: site.value.name,
    nodes: [...new Set(site.uses.map(({ node }) => node.label))],
    op: site.uses[0]!.node.opType,
    kind: site.kind,
    shape: [...site.tensor.dims],
    dtype: site.tensor.dtype,
    bytesBefore: before,
    bytesAfter: chosen?.bytes ?? before,
    choice: chosen ? describeCandidate(chosen.candidate) : 'unchanged',
    method: chosen?.candidate.method ?? 'none',
    reason: decision?.reason ?? 'excluded',
    ...(chosen?.candidate.rank !== undefined && { rank: chosen.candidate.rank }),
    error: chosen?.error ?? 0,
    candidates: (decision?.tried ?? []).map(proposal => ({
      label: describeCandidate(proposal.candidate),
      bytes: proposal.bytes,
      error: proposal.error,
      keepsRule: proposal.error <= error,
    })),
  };
}

const describeCandidate = ({ label, rank }: { label: string; rank?: number }): string =>
  rank === undefined ? label : `${label}, rank ${rank}`;

/** Elements of all constants in use. */
export function countParameters(graph: Graph): number {
  let count = 0;
  const seen = new Set<Value>();
  const visit = (g: Graph): void => {
    for (const value of g.initializers) {
      if (seen.has(value)) continue;
      seen.add(value);
      if (value.initializer && 'size' in value.initializer) count += value.initializer.size;
    }
    for (const node of g.nodes) {
      const tensor = node.opType === 'Constant' ? node.tensor('value') : undefined;
      if (tensor) count += tensor.size;
      for (const inner of node.subgraphs) visit(inner);
    }
  };
  visit(graph);
  return count;
}
