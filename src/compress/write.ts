import { cloneModel } from '../graph/clone.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';
import type { Scored } from './score.js';
import type { Site } from './sites.js';

/** A copy of the model with every choice written into it. */
export function writeChoices(model: Model, choices: ReadonlyMap<Site, Scored | undefined>): Model {
  const values = new Map<Value, Value>();
  const copy = cloneModel(model, values);
  const nodeOf = (node: Node) => values.get(node.outputs.find(output => output !== null)!)!.producer!;
  for (const [site, choice] of choices) {
    choice?.candidate.apply({
      graph: nodeOf(site.uses[0]!.node).graph!,
      value: values.get(site.value)!,
      uses: site.uses.map(({ node, index }) => ({ node: nodeOf(node), index })),
      opset: model.opset,
      opsets: copy.opsets,
    });
  }
  removeDead(copy.graph);
  for (const { graph } of copy.functions) removeDead(graph);
  // Before IR version 4 every initializer had to be an input as well, which a caller could override.
  copy.irVersion = Math.max(copy.irVersion, 4);
  return copy;
}
