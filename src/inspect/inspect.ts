import { findSites, layersOf, operatorOf, type Site } from '../calibrate/sites.js';
import { toMatrix } from '../compress/matrix.js';
import type { Progress } from '../compress/report.js';
import { allConstants, allGraphs } from '../graph/constants.js';
import { WhittleError } from '../graph/errors.js';
import type { Model } from '../graph/model.js';
import { sizeOf } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';
import { initLinalg, matrix, singularValues } from '../linalg/index.js';
import { modelByteLength } from '../onnx/index.js';
import { sourcesOf } from '../onnx/leftovers.js';
import { VERSION } from '../version.js';
import { describeDimensions } from './dimensions.js';
import type { InspectReport, Signature, WeightReport } from './report.js';
import { measureSpectrum } from './spectrum.js';

export interface InspectOptions {
  /** Compute the singular values of every weight; takes time where they are large. */
  spectra?: boolean;
  /** Find which dimensions go together and can be made smaller. */
  groups?: boolean;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** Says what a model is made of: its signature, its bytes by file and part, its operators, its weights. */
export async function inspect(model: Model, options: InspectOptions = {}): Promise<InspectReport> {
  const files = filesOf(model);
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  const graphs = [...allGraphs(model)];
  const report: InspectReport = {
    version: 1,
    whittle: VERSION,
    model: describe(model),
    bytes: { total, files, parts: partsOf(model, total) },
    nodes: graphs.reduce((sum, graph) => sum + graph.nodes.size, 0),
    subgraphs: graphs.length - 1 - model.functions.length,
    ops: histogram(
      graphs.flatMap(graph => [...graph.nodes].map(n => (n.domain ? `${n.domain}.` : '') + n.opType)),
    ),
    weights: [],
    warnings: [],
  };
  const sites = findSites(model);
  report.weights = sites.map(site => describeWeight(site, total));
  if (options.groups) report.dimensions = describeDimensions(model);
  if (options.spectra) await addSpectra(report, sites, options);
  return report;
}

async function addSpectra(
  report: InspectReport,
  sites: readonly Site[],
  { onProgress, signal }: InspectOptions,
): Promise<void> {
  await initLinalg();
  for (const [i, { tensor, layout }] of sites.entries()) {
    const weight = report.weights[i]!;
    onProgress?.({ phase: 'spectra', done: i, total: sites.length, detail: weight.name });
    // A decomposition blocks its thread: between two of them, let the progress be seen and an abort come in.
    await new Promise(resolve => setTimeout(resolve));
    signal?.throwIfAborted();
    try {
      const { data, rows, cols } = toMatrix(tensor, layout);
      const values = Array.from(singularValues(matrix(data, rows, cols)));
      weight.spectrum = { ...measureSpectrum(values), values };
    } catch (error) {
      // NaN weights, or a matrix beyond what fits into memory: the others still have their spectra.
      if (!(error instanceof WhittleError)) throw error;
      report.warnings.push(`Weight "${weight.name}" has no spectrum: ${error.message}`);
    }
  }
  onProgress?.({ phase: 'spectra', done: sites.length, total: sites.length });
}

function describe(model: Model): InspectReport['model'] {
  const inputs = model.graph.inputs.filter(value => !value.initializer);
  return {
    ...(model.path === undefined ? {} : { path: model.path }),
    name: model.graph.name,
    producer: `${model.producerName} ${model.producerVersion}`.trim(),
    irVersion: model.irVersion,
    opsets: [...model.opsets].map(([domain, version]) => ({ domain, version })),
    functions: model.functions.map(f => (f.domain ? `${f.domain}.${f.name}` : f.name)),
    metadata: [...model.metadata].map(([key, value]) => ({ key, value })),
    inputs: inputs.map(signatureOf),
    outputs: model.graph.outputs.map(signatureOf),
  };
}

/** The file of a model and those of its external data; a model made in memory is sized as it would be written. */
function filesOf(model: Model): InspectReport['bytes']['files'] {
  const sources = [...(sourcesOf.get(model) ?? [])];
  if (sources.length === 0) return [{ path: model.path ?? model.graph.name, bytes: modelByteLength(model) }];
  // External data lies beside the model.
  const pathOf = (name = model.graph.name, i: number) => (i === 0 ? name : name.replace(/.*[\\/]/, ''));
  return sources.map(({ name, size }, i) => ({ path: pathOf(name, i), bytes: size }));
}

function signatureOf(value: Value): Signature {
  const { type } = value;
  if (type?.kind !== 'tensor') return { name: value.name, dtype: type?.kind ?? 'unknown' };
  const dtype = type.dtype ?? 'unknown';
  return { name: value.name, dtype, ...(type.shape ? { shape: [...type.shape] } : {}) };
}

function partsOf(model: Model, total: number): InspectReport['bytes']['parts'] {
  const parts = new Map<string, InspectReport['bytes']['parts'][number]>();
  let constants = 0;
  for (const { dtype, size, byteLength } of allConstants(model)) {
    const part = parts.get(dtype) ?? { part: dtype, tensors: 0, elements: 0, bytes: 0 };
    part.tensors++;
    part.elements += size;
    part.bytes += byteLength;
    constants += byteLength;
    parts.set(dtype, part);
  }
  return [
    ...[...parts.values()].sort((a, b) => b.bytes - a.bytes),
    // An external file may hold less than its tensors say, where two of them share bytes.
    { part: 'graph', tensors: 0, elements: 0, bytes: Math.max(0, total - constants) },
  ];
}

function histogram(names: readonly string[]): InspectReport['ops'] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .map(([op, count]) => ({ op, count }))
    .sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
}

function describeWeight(site: Site, total: number): WeightReport {
  const { value, tensor, kind, layout, nested } = site;
  const dims = layout.perm.map(axis => tensor.dims[axis]!);
  const rows = sizeOf(dims.slice(0, layout.split));
  const columns = sizeOf(dims.slice(layout.split));
  return {
    name: value.name,
    kind,
    op: operatorOf(site),
    nodes: layersOf(site).map(({ label }) => label),
    nested,
    stored: value.producer ? 'Constant node' : 'initializer',
    shape: [...tensor.dims],
    dtype: tensor.dtype,
    bytes: tensor.byteLength,
    share: total > 0 ? tensor.byteLength / total : 0,
    rows,
    columns,
    breakEven: (rows * columns) / (rows + columns),
  };
}
