import { WhittleError } from '../errors.js';
import { Graph } from '../graph.js';
import type { Model } from '../model.js';
import type { Node } from '../node.js';
import { Builder } from '../ops/builder.js';
import { NEWEST_OPSET, OPS, type OpRegistry } from '../ops/index.js';
import type { Value } from '../value.js';
import { vjpContext } from './context.js';
import { ancestors, dependents, describePath, isDifferentiable, reads } from './paths.js';
import { type CustomGradients, ruleOf } from './rules.js';
import { DEFAULT_OPSETS, Typing } from './typing.js';

export interface GradientOptions {
  /** Operator sets of a bare graph; a model brings its own. Default: ONNX 21. */
  readonly opsets?: ReadonlyMap<string, number>;
  /** Gradient of the final loss by `loss`, of its shape, where `loss` is not the end; default ones. */
  readonly seed?: Value;
  /** Gradients in the place of those of operators, or for nodes marked with `customGradient`. */
  readonly vjps?: CustomGradients;
  readonly registry?: OpRegistry;
}

/** Rules emit scatters that add up, which there are since this version. */
const OLDEST_OPSET = 16;

/**
 * Reverse-mode differentiation: appends nodes that compute the gradient of `loss` (the sum of its elements, where
 * it has several) by each value of `wrt`, and returns those gradients, of the shapes of `wrt`. A value that the loss
 * does not depend on has a gradient of zeros. The gradients are ordinary values: differentiate them again for
 * Hessian-vector products.
 *
 * Sizes that inference leaves open are handled when the graph runs. Types of values are inferred and set on the way;
 * a forward node may gain an optional output (a mask, indices). ONNX's operator set has to be 16 or newer; `trainable`
 * and `upgradeOpset` raise that of a model.
 *
 * @throws WhittleError for an operator without a gradient, with the path that needs it, or an older operator set
 */
export function gradients(
  target: Graph | Model,
  loss: Value,
  wrt: readonly Value[],
  options: GradientOptions = {},
): Value[] {
  const differentiation = new Differentiation(target, options);
  return differentiation.run(loss, wrt);
}

class Differentiation {
  private readonly graph: Graph;
  private readonly registry: OpRegistry;
  private readonly custom: CustomGradients;
  private readonly typing: Typing;
  private readonly build: Builder;
  private readonly seed: Value | undefined;
  private loss!: Value;

  constructor(target: Graph | Model, { opsets, seed, vjps = {}, registry = OPS }: GradientOptions) {
    this.graph = target instanceof Graph ? target : target.graph;
    this.registry = registry;
    this.custom = vjps;
    this.seed = seed;
    const versions = target instanceof Graph ? (opsets ?? DEFAULT_OPSETS) : target.opsets;
    const opset = versions.get('') ?? NEWEST_OPSET;
    if (opset < OLDEST_OPSET) {
      throw new WhittleError(`gradients need ONNX's operator set ${OLDEST_OPSET} or newer, not ${opset}`, {
        ...(target instanceof Graph ? {} : target.path !== undefined && { file: target.path }),
        hint:
          target instanceof Graph
            ? `Say which operator sets its nodes are of: gradients(graph, loss, wrt, { opsets: new Map([['', 17]]) })`
            : 'Convert the model first, as trainable(model) does: upgradeOpset(model, 17)',
      });
    }
    this.typing = new Typing(target, registry, versions);
    this.build = new Builder(this.graph, { opset, infer: node => this.typing.infer(node) });
  }

  run(loss: Value, wrt: readonly Value[]): Value[] {
    this.loss = loss;
    this.build.scope = 'grad/';
    if (!isDifferentiable(loss)) {
      throw new WhittleError(`the loss is ${loss.dtype}, which has no gradient`, { value: loss.name });
    }
    const seed = this.seed ?? this.build.fillLike(loss, 1);
    const found = this.backward([loss], [seed], wrt, new Set());
    this.build.scope = 'grad/';
    const result = wrt.map((value, i) => found[i] ?? this.build.zerosLike(value));
    this.removeUnused(new Set(result));
    return result;
  }

  /** The gradient by each of `wrt`; `null` where it is zero. `leaves` count as independent of each other. */
  private backward(
    outputs: readonly Value[],
    outputGradients: readonly (Value | null)[],
    wrt: readonly Value[],
    leaves: ReadonlySet<Value>,
  ): (Value | null)[] {
    const nodes = ancestors(outputs, leaves);
    const active = dependents(nodes, wrt.filter(isDifferentiable), leaves);
    const terms = new Map<Value, Value[]>();
    const accumulate = (value: Value, gradient: Value): void => {
      if (!active.has(value)) return;
      const list = terms.get(value);
      if (list) list.push(gradient);
      else terms.set(value, [gradient]);
    };
    const total = (value: Value): Value | null => {
      const list = terms.get(value);
      if (!list) return null;
      if (list.length > 1) list.splice(0, list.length, this.build.total(list));
      return list[0]!;
    };
    outputs.forEach((output, i) => {
      const gradient = outputGradients[i];
      if (gradient) accumulate(output, gradient);
    });
    for (const node of nodes.toReversed()) {
      if (!node.outputs.some(output => output && terms.has(output) && !leaves.has(output))) continue;
      if (!reads(node, active)) continue;
      const gradientsOut = node.outputs.map(output => output && total(output));
      const gradientsIn = this.apply(node, gradientsOut, active, nodes);
      node.inputs.forEach((input, i) => {
        const gradient = gradientsIn[i];
        if (!input || !gradient || !active.has(input)) return;
        // Where inference knows less of what was computed than of what it is the gradient of.
        if (!gradient.shape || !gradient.dtype) gradient.type = input.type;
        accumulate(input, gradient);
      });
    }
    return wrt.map(total);
  }

  private apply(
    node: Node,
    outputGradients: readonly (Value | null)[],
    active: ReadonlySet<Value>,
    nodes: readonly Node[],
  ): readonly (Value | null)[] {
    const rule = ruleOf(node, this.registry, this.custom);
    if (!rule) {
      const name = node.domain === '' ? node.opType : `${node.domain}.${node.opType}`;
      throw new WhittleError(`operator ${name} has no gradient, but the loss depends on it`, {
        node: node.label,
        hint: `The path is ${describePath(node, active, nodes, this.loss)}. Give one as vjps: { '${name}': … }, or take another route with stopGradient`,
      });
    }
    const scope = this.build.scope;
    this.build.scope = `grad/${node.label}/`;
    const context = vjpContext(
      node,
      outputGradients,
      active,
      this.build,
      this.typing,
      (outputs, seeds, inputs) => this.backward(outputs, seeds, inputs, new Set(inputs)),
    );
    const result = rule(context);
    this.build.scope = scope;
    return result;
  }

  /** Rules may emit more than is wanted. */
  private removeUnused(wanted: ReadonlySet<Value>): void {
    for (const node of this.build.emitted.toReversed()) {
      const used = node.outputs.some(o => o && (o.uses.size > 0 || wanted.has(o) || this.graph.isOutput(o)));
      if (!used) this.graph.remove(node);
    }
    this.build.removeUnusedConstants();
  }
}
