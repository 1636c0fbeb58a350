import type { Dataset } from '../../datasets/dataset.js';
import { substitute } from '../../graph/dims.js';
import { WhittleError } from '../../graph/errors.js';
import type { Graph } from '../../graph/graph.js';
import { tensorType } from '../../graph/value.js';
import type { Network } from '../../nn/network.js';

/**
 * Fixes symbolic dimensions of a graph's inputs, such as `batch`, so that sizes are constants and passes can plan for
 * them. What was inferred from them before is forgotten.
 * @throws WhittleError for a name that no input has
 */
export function fixSizes(graph: Graph, sizes: Readonly<Record<string, number>>): void {
  const table = new Map(Object.entries(sizes));
  if (table.size === 0) return;
  const found = new Set(graph.inputs.flatMap(input => input.shape ?? []));
  for (const name of table.keys()) {
    if (found.has(name)) continue;
    const names = [...found].filter(dim => typeof dim === 'string');
    throw new WhittleError(`no input has a dimension "${name}"`, {
      hint: `There are ${names.length > 0 ? names.join(', ') : 'none that are open'}`,
    });
  }
  for (const input of graph.inputs) {
    if (input.shape)
      input.type = tensorType(
        input.dtype,
        input.shape.map(dim => substitute(dim, table)),
      );
  }
  for (const node of graph.allNodes()) {
    for (const output of node.outputs) {
      const shape = output?.shape;
      if (shape)
        output.type = tensorType(
          output.dtype,
          shape.map(dim => substitute(dim, table)),
        );
    }
  }
}

/** A name, no expression of names; exporters put dots into some (`DynamicDimension.0`). */
const NAME = /^[A-Za-z_][\w.:]*$/;

/** Sizes of the inputs' open dimensions, as batches of so many examples will have them. */
export function batchSizes(network: Network, { fields }: Dataset, examples: number): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const input of network.inputs) {
    const dims = [examples, ...(fields[input.name]?.shape ?? [])];
    input.shape?.forEach((dim, i) => {
      const size = dims[i];
      if (typeof dim === 'string' && NAME.test(dim) && size !== undefined) sizes[dim] = size;
    });
  }
  return sizes;
}

/** How many examples a network takes at once, where that is fixed, as in some files. */
export const fixedBatch = (network: Network): number | undefined =>
  network.inputs.map(({ shape }) => shape?.[0]).find(dim => typeof dim === 'number');

/** Those of `sizes` that do not count examples. */
export function withoutBatch(
  network: Network,
  sizes: Readonly<Record<string, number>>,
): Record<string, number> {
  const counts = new Set(network.inputs.map(input => input.shape?.[0]));
  return Object.fromEntries(Object.entries(sizes).filter(([name]) => !counts.has(name)));
}
