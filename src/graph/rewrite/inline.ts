import { instantiate } from '../clone.js';
import { WhittleError } from '../errors.js';
import type { Graph } from '../graph.js';
import type { FunctionDefinition, Model } from '../model.js';
import type { Node } from '../node.js';
import type { Value } from '../value.js';
import { allValues } from './rename.js';

/** The model-local function that a node calls. */
export const functionOf = (model: Model, node: Node): FunctionDefinition | undefined =>
  model.functions.find(
    f => f.name === node.opType && f.domain === node.domain && f.overload === node.overload,
  );

/**
 * Puts the body of a model-local function in the place of a call. Names get the call's in front.
 * @returns the nodes that took its place
 * @throws WhittleError where the node calls no function of the model, or the function needs another version of an
 * operator set than the model has
 */
export function inlineCall(model: Model, node: Node): Node[] {
  const definition = functionOf(model, node);
  const graph = node.graph;
  if (!definition || !graph) {
    throw new WhittleError(`${node.opType} is no function of this model`, { node: node.label });
  }
  joinOpsets(model, definition, node);
  const body = instantiate(definition, node);
  const prefix = node.label;
  for (const value of allValues(body)) value.name = graph.freshName(`${prefix}/${value.name}`);
  for (const inner of body.allNodes()) if (inner.name) inner.name = `${prefix}/${inner.name}`;

  const given = new Map(body.inputs.map((input, i) => [input, node.inputs[i] ?? null]));
  for (const inner of [...body.allNodes()]) {
    inner.inputs.forEach((input, i) => {
      if (input && given.has(input)) inner.setInput(i, given.get(input)!);
    });
  }
  for (const value of body.initializers) graph.adopt(value);
  const nodes = [...body.nodes];
  for (const inner of nodes) graph.insert(inner);
  node.outputs.forEach((output, i) => {
    const result = body.outputs[i];
    if (output && result) graph.replaceUses(output, passed(graph, given, result));
  });
  graph.remove(node);
  return nodes;
}

/** What a function hands out: one of its arguments or its own value. */
function passed(graph: Graph, given: ReadonlyMap<Value, Value | null>, result: Value): Value {
  if (!given.has(result)) return result;
  const argument = given.get(result);
  if (!argument)
    throw new WhittleError('a function returns an argument that is not given', { value: result.name });
  return graph.op('Identity', [argument]);
}

/**
 * Inlines all calls, those of functions in functions too, and removes the functions.
 * @returns how many calls
 * @throws WhittleError as `inlineCall`, and where functions call themselves
 */
export function inlineFunctions(model: Model): number {
  for (const definition of model.functions) refuseRecursion(model, definition, []);
  let count = 0;
  for (;;) {
    const calls = [...model.graph.allNodes()].filter(node => functionOf(model, node));
    if (calls.length === 0) break;
    count += calls.length;
    if (count > MAX_CALLS) {
      throw new WhittleError(`the functions of the model are called more than ${MAX_CALLS} times`, {
        file: model.path,
      });
    }
    for (const node of calls) inlineCall(model, node);
  }
  model.functions = [];
  return count;
}

/** Functions that double their calls level by level could otherwise fill any memory. */
const MAX_CALLS = 100_000;

function refuseRecursion(model: Model, definition: FunctionDefinition, path: FunctionDefinition[]): void {
  if (path.includes(definition)) {
    throw new WhittleError(`function ${definition.name} calls itself`, { file: model.path });
  }
  const called = new Set([...definition.graph.allNodes()].map(node => functionOf(model, node)));
  for (const next of called) if (next) refuseRecursion(model, next, [...path, definition]);
}

function joinOpsets(model: Model, definition: FunctionDefinition, node: Node): void {
  for (const [domain, version] of definition.opsets) {
    const own = model.opsets.get(domain);
    if (own === undefined) model.opsets.set(domain, version);
    else if (own !== version) {
      throw new WhittleError(
        `function ${definition.name} is written for version ${version} of ${domain || 'the ONNX operators'}, the model for ${own}`,
        { node: node.label, file: model.path },
      );
    }
  }
}
