import { WhittleError } from '../errors.js';
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import { Tensor } from '../tensor.js';
import type { Value } from '../value.js';
import { STOP, STRAIGHT_THROUGH } from './rules.js';

/** x, through which no gradient passes: a constant as far as `gradients` is concerned. */
export function stopGradient(graph: Graph, x: Value): Value {
  return marked(graph.node('Identity', [x], {}, { outputs: ['stop_gradient'] }), STOP, x);
}

/**
 * Straight-through estimator: the value of y, the gradient of x (Bengio, Léonard and Courville, 2013,
 * https://arxiv.org/abs/1308.3432). y is typically x rounded or made sparse; both have one shape.
 */
export function straightThrough(graph: Graph, x: Value, y: Value): Value {
  // Where gives y to the last bit, which x + stop(y − x) would not.
  const yes = graph.constant(Tensor.from('bool', [], Uint8Array.of(1)), 'true');
  const node = graph.node('Where', [yes, y, x], {}, { outputs: ['straight_through'] });
  return marked(node, STRAIGHT_THROUGH, y.type ? y : x);
}

/** Puts y in the place of each straight-through estimator: what only gradients need, and costs a pass, goes. */
export function removeStraightThrough(graph: Graph): void {
  for (const node of [...graph.nodes]) {
    if (node.gradientRule === STRAIGHT_THROUGH) graph.replaceUses(node.output, node.inputs[1]!);
  }
}

function marked(node: Node, rule: string, like: Value): Value {
  // A copy of the graph knows the names of its values, and gives none of them to new nodes.
  node.name = node.output.name;
  node.gradientRule = rule;
  node.output.type = like.type;
  return node.output;
}

/**
 * Makes the node that computes `value` use the gradient that is passed to `gradients` as `vjps[rule]`.
 * @throws WhittleError where no node computes the value
 */
export function customGradient(value: Value, rule: string): Value {
  if (!value.producer) {
    throw new WhittleError('only what a node computes can have a custom gradient', { value: value.name });
  }
  value.producer.gradientRule = rule;
  return value;
}
