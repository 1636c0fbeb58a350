import type { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { Tensor } from '../graph/tensor.js';
import { tensorType, type Value } from '../graph/value.js';

/** Whether BatchNormalization takes its stored statistics or those of the batch. */
export type BatchNormMode = 'frozen' | 'batch';

/**
 * Makes every BatchNormalization of a model (opset 14 or newer) normalize by the statistics of the batch.
 * @returns the next value of each running statistic, by the name of its initializer
 */
export function useBatchStatistics({ graph }: Model): Map<string, Value> {
  const updates = new Map<string, Value>();
  const taken = new Set<Value>();
  for (const node of graph.nodes) {
    if (node.opType !== 'BatchNormalization' || node.domain !== '') continue;
    if (node.int('training_mode', 0) !== 0) continue;
    node.setAttribute('training_mode', 1);
    for (const input of [3, 4]) updateStatistic(graph, node, input, taken, updates);
  }
  return updates;
}

function updateStatistic(
  graph: Graph,
  node: Node,
  input: number,
  taken: Set<Value>,
  updates: Map<string, Value>,
): void {
  let statistic = node.inputs[input]!;
  // ONNX Runtime updates the statistics in place: two that share a tensor would spoil each other.
  if (taken.has(statistic) && statistic.initializer instanceof Tensor) {
    statistic = graph.constant(statistic.initializer, statistic.name);
    node.setInput(input, statistic);
  }
  taken.add(statistic);
  const next = graph.newValue(`${statistic.name}.next`, statistic.type ?? tensorType('float32'));
  node.addOutput(input - 2, next);
  updates.set(statistic.name, next);
}
