import { LARGE_MODEL, type Site } from '../calibrate/sites.js';
import { cloneModel } from '../graph/clone.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';
import { type PackedWeight, STAGES_FROM, unpackInStages } from './forms/stages.js';
import type { Scored } from './score.js';

/** A copy of the model with every choice written into it. */
export function writeChoices(model: Model, choices: ReadonlyMap<Site, Scored | undefined>): Model {
  const values = new Map<Value, Value>();
  const copy = cloneModel(model, values);
  const nodeOf = (node: Node) => values.get(node.outputs.find(output => output !== null)!)!.producer!;
  const folded: PackedWeight[] = [];
  for (const [site, choice] of choices) {
    const { graph } = nodeOf(site.uses[0]!.node);
    const known = new Set(graph!.initializers);
    choice?.candidate.apply({
      graph: graph!,
      value: values.get(site.value)!,
      uses: site.uses.map(({ node, index }) => ({ node: nodeOf(node), index })),
      opset: model.opset,
      opsets: copy.opsets,
    });
    if (graph !== copy.graph || (choice?.candidate.form ?? 'fold') !== 'fold') continue;
    const constants = [...graph.initializers].filter(value => !known.has(value));
    folded.push({ constants, size: site.tensor.size });
  }
  removeDead(copy.graph);
  const size = folded.reduce((sum, weight) => sum + weight.size, 0);
  if (size >= LARGE_MODEL && model.opset >= STAGES_FROM) unpackInStages(copy.graph, folded);
  for (const { graph } of copy.functions) removeDead(graph);
  // Before IR version 4 every initializer had to be an input as well, which a caller could override.
  copy.irVersion = Math.max(copy.irVersion, 4);
  return copy;
}
