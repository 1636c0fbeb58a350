import type { Node, NodeInput } from '../node.js';
import type { Shape, Value } from '../value.js';
import type { Builder } from './builder.js';
import type { OpDefinition } from './definition.js';

/** What a gradient is built from. */
export interface VjpContext {
  readonly node: Node;
  /** Version of the operator set of the node's domain. */
  readonly opset: number;
  /** Emits the backward nodes. What turns out unused is removed again, so a rule need not ask what is wanted. */
  readonly build: Builder;
  readonly inputs: readonly NodeInput[];
  /** Gradient of the loss by each output; `null` where the loss does not depend on it. */
  readonly outputGradients: readonly (Value | null)[];
  /** Gradient of the loss by the first output, of its shape; zeros where only other outputs matter. */
  readonly gradient: Value;
  has(input: number): boolean;
  /** @throws where the input is left out */
  input(input: number): Value;
  /** An output of the forward node; an optional one that was left out is added. */
  output(output: number): Value;
  /** Whether the gradient by this input is wanted. Ask where a gradient costs more than unused nodes. */
  needs(input: number): boolean;
  /** Shape of an input. @throws where its rank is not known */
  shape(input: number): Shape;
  /** The elements of an input, where all are known before the model runs. */
  numbers(input: number): number[] | undefined;
  /**
   * The gradients by `inputs` of a piece of graph that computes `outputs`: for operators whose gradient is that of
   * their expansion into others.
   */
  pullback(
    outputs: readonly Value[],
    outputGradients: readonly (Value | null)[],
    inputs: readonly Value[],
  ): (Value | null)[];
  /** This use of the operator has no gradient. */
  fail(problem: string, hint?: string): never;
}

/**
 * Vector-Jacobian product: emits backward nodes and returns the gradient of the loss by each input, `null` (or
 * nothing) for an input that has none: indices, shapes.
 */
export type Vjp = (context: VjpContext) => readonly (Value | null)[];

/** Gradients of a family's operators by name. */
export type Gradients = Readonly<Record<string, Vjp>>;

/** The definitions with their gradients. @throws where a gradient belongs to none of them */
export function withGradients(definitions: readonly OpDefinition[], gradients: Gradients): OpDefinition[] {
  const left = new Set(Object.keys(gradients));
  const result = definitions.map(definition => {
    left.delete(definition.op);
    const vjp = Object.hasOwn(gradients, definition.op) ? gradients[definition.op] : undefined;
    return vjp ? { ...definition, vjp } : definition;
  });
  if (left.size > 0) throw new Error(`gradients for operators that the family does not have: ${[...left]}`);
  return result;
}

/** The gradient of an operator that has the same derivative as a composition of others, through that composition. */
export const byExpansion =
  (expand: (context: VjpContext) => Value | readonly (Value | null)[]): Vjp =>
  context => {
    const expanded = expand(context);
    const outputs = Array.isArray(expanded) ? (expanded as readonly (Value | null)[]) : [expanded as Value];
    const used = context.outputGradients.flatMap((gradient, i) => {
      if (!gradient) return [];
      const output = outputs[i] ?? context.fail(`its output ${i} has no gradient`);
      return [{ output, gradient }];
    });
    const inputs = context.inputs.flatMap(input => (input ? [input] : []));
    const distinct = [...new Set(inputs)];
    const found = context.pullback(
      used.map(u => u.output),
      used.map(u => u.gradient),
      distinct,
    );
    // A value that is given twice has its whole gradient at the first place.
    const rest = new Map(distinct.map((value, i) => [value, found[i] ?? null]));
    return context.inputs.map(input => {
      const gradient = (input && rest.get(input)) ?? null;
      if (input) rest.delete(input);
      return gradient;
    });
  };
