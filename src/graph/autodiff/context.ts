import { WhittleError } from '../errors.js';
import type { Node } from '../node.js';
import type { Builder } from '../ops/builder.js';
import type { VjpContext } from '../ops/vjp.js';
import type { Shape, Value } from '../value.js';
import type { Typing } from './typing.js';

/** What the context of one node asks of the differentiation that it is part of. */
export type Pullback = (
  outputs: readonly Value[],
  outputGradients: readonly (Value | null)[],
  inputs: readonly Value[],
) => (Value | null)[];

/** The view that a gradient rule has of its node. Methods are bound, so that rules may take them apart. */
export function vjpContext(
  node: Node,
  outputGradients: readonly (Value | null)[],
  wanted: ReadonlySet<Value>,
  build: Builder,
  typing: Typing,
  pullback: Pullback,
): VjpContext {
  const fail = (problem: string, hint?: string): never => {
    throw new WhittleError(`no gradient for this ${node.opType}: ${problem}`, {
      node: node.label,
      ...(hint && { hint }),
    });
  };
  const input = (index: number): Value =>
    node.inputs[index] ?? fail(`it has no input ${index}`, 'The model is not valid');
  const output = (index: number): Value => {
    const present = node.outputs[index];
    if (present) return present;
    const added = build.graph.newValue(`${node.label}.${index}`);
    node.addOutput(index, added);
    typing.infer(node);
    return added;
  };
  let first: Value | undefined;
  return {
    node,
    opset: typing.opsetOf(node.domain),
    build,
    inputs: node.inputs,
    outputGradients,
    get gradient() {
      first ??= outputGradients[0] ?? build.zerosLike(output(0));
      return first;
    },
    has: index => Boolean(node.inputs[index]),
    input,
    output,
    needs: index => {
      const value = node.inputs[index];
      return Boolean(value && wanted.has(value));
    },
    shape: (index): Shape =>
      input(index).shape ??
      fail(
        `the rank of its input "${input(index).name}" is not known`,
        "Fix the shapes of the model's inputs",
      ),
    numbers: index => typing.numbersOf(input(index)),
    pullback,
    fail,
  };
}
