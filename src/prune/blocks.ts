import { cloneModel } from '../graph/clone.js';
import { sameDim } from '../graph/dims.js';
import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { removeDead } from '../graph/rewrite/index.js';
import type { Value } from '../graph/value.js';

/** y = x + f(x), where x and y have the same shape: without f the model still fits together. */
export interface ResidualBlock {
  /** Name of the node that adds. */
  readonly name: string;
  readonly sum: Node;
  /** Which input of the sum goes past the branch. */
  readonly identity: number;
}

/**
 * Finds the residual blocks of a model: sums of two values, of which one is made from the other. Shapes must be inferred.
 */
export function findBlocks(model: Model): ResidualBlock[] {
  const { graph } = model;
  graph.sort();
  const sums = [...graph.nodes].filter(node => node.opType === 'Add' && node.domain === '');
  return sums.flatMap((sum): ResidualBlock[] => {
    const [a, b] = sum.inputs as [Value, Value];
    if ([a, b].some(value => Graph.constantOf(value))) return [];
    for (const [identity, x, branch] of [
      [0, a, b],
      [1, b, a],
    ] as const) {
      if (isMadeFrom(branch, x) && sameShape(x, sum.output)) return [{ name: sum.label, sum, identity }];
    }
    return [];
  });
}

/** A copy of the model in which each of the blocks hands on what it gets. */
export function removeBlocks(model: Model, blocks: readonly ResidualBlock[]): Model {
  return withoutBlocks(model, blocks).model;
}

export function withoutBlocks(
  model: Model,
  blocks: readonly ResidualBlock[],
): { model: Model; copies: ReadonlyMap<Value, Value> } {
  const copies = new Map<Value, Value>();
  const copy = cloneModel(model, copies);
  for (const { sum, identity, name } of blocks) {
    if (sum.graph !== model.graph)
      throw new WhittleError('the block is not one of this model', { node: name });
    const output = copies.get(sum.output)!;
    // Read only now: a block before it may be gone already.
    copy.graph.replaceUses(output, output.producer!.inputs[identity]!);
  }
  removeDead(copy.graph);
  return { model: copy, copies };
}

function isMadeFrom(value: Value, source: Value): boolean {
  const seen = new Set<Value>();
  const waiting = [value];
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    if (at === source) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    for (const input of at.producer?.inputs ?? []) if (input) waiting.push(input);
  }
  return false;
}

const sameShape = ({ shape, dtype }: Value, other: Value): boolean =>
  shape !== undefined &&
  dtype === other.dtype &&
  shape.length === other.shape?.length &&
  shape.every((dim, axis) => sameDim(dim, other.shape![axis]!));
