import type { Site } from '../calibrate/sites.js';
import { Graph } from '../graph/graph.js';
import { Model } from '../graph/model.js';
import { Node, type NodeInput } from '../graph/node.js';
import { tensorType, Value } from '../graph/value.js';
import type { Tensors } from '../runtime/index.js';
import type { RewriteTarget } from './method.js';

/** A site cut out of its model: a model of its own whose inputs are the activations that the site's nodes read. */
export interface Fragment {
  readonly model: Model;
  readonly target: RewriteTarget;
  /** For each input of the fragment, the value of the model that it stands for. */
  readonly sources: ReadonlyMap<string, Value>;
}

/**
 * Copies the nodes that use a site into a model of their own. Each call makes a fresh copy, so that a candidate may
 * rewrite it; constants are shared, not copied.
 * @param feeds an example of what it will be run on, from which its inputs take their dtypes
 */
export function cutOut(site: Site, model: Model, feeds?: Tensors): Fragment {
  const graph = new Graph('layer');
  const copies = new Map<Value, Value>();
  const sources = new Map<string, Value>();
  const copyOf = (original: NodeInput): NodeInput => {
    if (!original) return null;
    const known = copies.get(original);
    if (known) return known;
    const constant = Graph.constantOf(original);
    let copy: Value;
    if (constant) {
      copy = graph.constant(constant, original.name);
    } else {
      const name = `x${sources.size}`;
      copy = graph.addInput(name, tensorType(feeds?.[name]?.dtype ?? original.dtype));
      sources.set(copy.name, original);
    }
    copies.set(original, copy);
    return copy;
  };
  const nodes = new Map<Node, Node>();
  for (const { node } of site.uses) {
    if (nodes.has(node)) continue;
    const outputs = node.outputs.map((output, i) => output && new Value(`y${nodes.size}.${i}`));
    const copy = new Node(node.opType, node.inputs.map(copyOf), outputs, {
      attributes: Object.fromEntries(node.attributes),
      domain: node.domain,
      name: node.name,
    });
    graph.insert(copy);
    for (const output of outputs) if (output) graph.addOutput(output);
    nodes.set(node, copy);
  }
  const fragment = new Model(graph);
  fragment.opsets = new Map(model.opsets);
  fragment.irVersion = Math.max(model.irVersion, 4);
  return {
    model: fragment,
    target: {
      graph,
      value: copies.get(site.value)!,
      uses: site.uses.map(({ node, index }) => ({ node: nodes.get(node)!, index })),
      opset: model.opset,
      opsets: fragment.opsets,
    },
    sources,
  };
}
