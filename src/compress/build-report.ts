import { layersOf, operatorOf, type Site } from '../calibrate/sites.js';
import type { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Value } from '../graph/value.js';
import type { CompressReport, LayerReport } from './report.js';
import type { Scored } from './score.js';
import type { LayerFindings } from './study.js';

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

/**
 * One row of the before/after table.
 * @param findings `undefined` for a layer that was left out
 */
export function describeLayer(
  site: Site,
  findings: LayerFindings | undefined,
  chosen: Scored | undefined,
  error: number | undefined,
): LayerReport {
  const before = site.tensor.byteLength;
  return {
    weight: site.value.name,
    nodes: layersOf(site).map(({ label }) => label),
    op: operatorOf(site),
    kind: site.kind,
    shape: [...site.tensor.dims],
    dtype: site.tensor.dtype,
    bytesBefore: before,
    bytesAfter: chosen?.bytes ?? before,
    choice: chosen ? describeCandidate(chosen) : 'unchanged',
    method: chosen?.candidate.method ?? 'none',
    reason: reasonFor(findings, chosen, error),
    ...(chosen?.candidate.rank !== undefined && { rank: chosen.candidate.rank }),
    error: chosen?.error ?? 0,
    candidates: (findings?.scored ?? []).map(scored => ({
      label: describeCandidate(scored),
      bytes: scored.bytes,
      error: scored.error,
      keepsRule: scored.error <= (error ?? Infinity),
    })),
  };
}

const describeCandidate = ({ candidate: { label, rank } }: Scored): string =>
  rank === undefined ? label : `${label}, rank ${rank}`;

function reasonFor(
  findings: LayerFindings | undefined,
  chosen: Scored | undefined,
  error: number | undefined,
): string {
  if (!findings) return 'left out';
  if (chosen)
    return findings.byRule
      ? `smallest within ${+((error ?? 0) * 100).toPrecision(3)}%`
      : 'best for the budget';
  return findings.scored.length === 0 ? 'nothing makes it smaller' : 'the budget spares it';
}

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
