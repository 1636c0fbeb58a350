import { WhittleError } from '../errors.js';
import type { Node } from '../node.js';
import type { OpRegistry, Vjp } from '../ops/index.js';

/**
 * Gradients that take precedence over those of the operators, by the rule that a node is marked with
 * (`node.gradientRule`), by operator (`Relu`), or by domain and operator (`com.microsoft.Gelu`).
 */
export type CustomGradients = Readonly<Record<string, Vjp>>;

export const STOP = 'stop';
export const STRAIGHT_THROUGH = 'straight-through';

const BUILT_IN: CustomGradients = {
  [STOP]: () => [],
  // Where(true, y, x): the output is y, the gradient goes to x.
  [STRAIGHT_THROUGH]: ({ gradient, build, input }) => [null, null, build.reduceLike(gradient, input(2))],
};

/** The rule for a node, `undefined` where there is none. @throws where it is marked with a rule that is not given */
export function ruleOf(node: Node, registry: OpRegistry, custom: CustomGradients): Vjp | undefined {
  const given = (key: string): Vjp | undefined => (Object.hasOwn(custom, key) ? custom[key] : undefined);
  const mark = node.gradientRule;
  if (mark !== undefined) {
    const rule = given(mark) ?? (Object.hasOwn(BUILT_IN, mark) ? BUILT_IN[mark] : undefined);
    if (rule) return rule;
    throw new WhittleError(`the node asks for the gradient rule "${mark}", which is not given`, {
      node: node.label,
      hint: `Pass it: gradients(graph, loss, wrt, { vjps: { '${mark}': … } })`,
    });
  }
  const own = node.domain === '' ? given(node.opType) : given(`${node.domain}.${node.opType}`);
  return own ?? registry.of(node)?.vjp;
}
