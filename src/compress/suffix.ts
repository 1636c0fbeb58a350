import type { Site } from '../calibrate/sites.js';
import { cloneModel } from '../graph/clone.js';
import type { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { removeDead } from '../graph/rewrite/index.js';
import { tensorType, type Value } from '../graph/value.js';

/** What a change of some weights can reach in a model. */
export interface Reach {
  /** Values computed before, which the part within reach reads. */
  readonly boundary: readonly Value[];
  /** The model's outputs within reach. */
  readonly outputs: readonly Value[];
}

/** Finds what a change of the sites' weights can reach. */
export function reachOf(model: Model, sites: readonly Site[]): Reach {
  const { graph } = model;
  const reached = downstream(sites.flatMap(({ uses }) => uses.map(({ node }) => topLevel(node, graph))));
  const varying = downstream(graph.inputs.flatMap(input => input.consumers.map(n => topLevel(n, graph))));
  const boundary = new Set<Value>();
  for (const node of reached) {
    for (const input of inputsOf(node)) {
      const { producer } = input;
      // What constants alone decide is computed on both sides.
      if (producer?.graph === graph && !reached.has(producer) && varying.has(producer)) boundary.add(input);
    }
  }
  const outputs = graph.outputs.filter(({ producer }) => producer !== null && reached.has(producer));
  return { boundary: [...boundary], outputs };
}

/** A copy of a model, or of the part within reach, in which weights and the boundary are inputs. */
export interface Opened {
  readonly model: Model;
  /** Name of the input for each weight. */
  readonly weights: ReadonlyMap<Site, string>;
  /** Name of the input for each value of the boundary. */
  readonly boundary: ReadonlyMap<Value, string>;
}

/** Makes the sites' weights inputs; with a reach, only what lies within is left. */
export function openWeights(model: Model, sites: readonly Site[], reach?: Reach): Opened {
  const values = new Map<Value, Value>();
  const copy = cloneModel(model, values);
  const { graph } = copy;
  const weights = new Map<Site, string>();
  const boundary = new Map<Value, string>();
  if (reach) {
    graph.outputs.length = 0;
    for (const output of reach.outputs) graph.outputs.push(values.get(output)!);
  }
  for (const value of reach?.boundary ?? []) {
    const input = graph.addInput(graph.freshName('before'), value.type ?? tensorType(value.dtype));
    graph.replaceUses(values.get(value)!, input);
    boundary.set(value, input.name);
  }
  for (const site of sites) {
    const { dtype, dims } = site.tensor;
    const input = graph.addInput(graph.freshName('weight'), tensorType(dtype, dims));
    graph.replaceUses(values.get(site.value)!, input);
    weights.set(site, input.name);
  }
  removeDead(graph);
  return { model: copy, weights, boundary };
}

/** The nodes given and all that depend on them. */
function downstream(start: readonly Node[]): Set<Node> {
  const reached = new Set<Node>();
  const waiting = [...start];
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    if (reached.has(node)) continue;
    reached.add(node);
    for (const output of node.outputs) {
      for (const consumer of output?.consumers ?? []) waiting.push(topLevel(consumer, node.graph!));
    }
  }
  return reached;
}

/** The node of `graph` in whose subgraphs a node lies; itself where it lies in none. */
function topLevel(node: Node, graph: Graph): Node {
  let top = node;
  while (top.graph !== graph && top.graph?.owner) top = top.graph.owner;
  return top;
}

/** What a node reads, for its subgraphs too. */
function inputsOf(node: Node): Value[] {
  const nodes = [node, ...node.subgraphs.flatMap(graph => [...graph.allNodes()])];
  return nodes.flatMap(({ inputs }) => inputs.filter(input => input !== null));
}
