import { cloneModel } from '../../graph/clone.js';
import { WhittleError } from '../../graph/errors.js';
import type { Graph } from '../../graph/graph.js';
import { inferShapes } from '../../graph/infer/index.js';
import type { Model } from '../../graph/model.js';
import { OPS } from '../../graph/ops/index.js';
import { allValues, inlineFunctions } from '../../graph/rewrite/index.js';
import type { Value } from '../../graph/value.js';
import { upgradeOpset } from '../../onnx/opset/upgrade.js';

export interface EmbedOptions {
  /** What the model's inputs read, by their names in the model. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** What takes the place of constants of the model, by their names. */
  readonly constants?: ReadonlyMap<string, Value>;
  /** In front of all names. */
  readonly prefix: string;
  /** Version of ONNX's operators in the graph. */
  readonly opset: number;
}

/**
 * Copies a model into a graph as it is: frozen, for no gradient is asked of its constants.
 * @returns the values of the copy by their names in the model
 * @throws WhittleError where the model needs newer operators than the graph has
 */
export function embedModel(graph: Graph, source: Model, options: EmbedOptions): Map<string, Value> {
  const { inputs, constants = new Map<string, Value>(), prefix, opset } = options;
  const model = typedCopy(source, inputs, opset);
  const values = new Map<string, Value>();
  const given = new Map<Value, Value>();
  for (const value of model.graph.inputs) {
    const replacement = inputs.get(value.name);
    if (replacement) given.set(value, replacement);
  }
  for (const value of model.graph.initializers) {
    const replacement = constants.get(value.name);
    if (replacement) given.set(value, replacement);
  }
  for (const value of [...allValues(model.graph)]) {
    values.set(value.name, given.get(value) ?? value);
    value.name = graph.freshName(`${prefix}/${value.name}`);
    value.declared = false;
  }
  const nodes = [...model.graph.nodes];
  for (const node of [...model.graph.allNodes()]) {
    if (node.name) node.name = `${prefix}/${node.name}`;
    node.inputs.forEach((input, i) => {
      if (input && given.has(input)) node.setInput(i, given.get(input)!);
    });
  }
  for (const value of model.graph.initializers) if (!given.has(value)) graph.adopt(value);
  for (const node of nodes) graph.insert(node);
  return values;
}

/** A copy of the graph's operator set, without functions, whose values have the types that these inputs give. */
export function typedCopy(source: Model, inputs: ReadonlyMap<string, Value>, opset: number): Model {
  const model = cloneModel(source);
  inlineFunctions(model);
  const own = model.opsets.get('') ?? opset;
  if (own > opset) {
    throw new WhittleError(`the teacher is of ONNX's operator set ${own}, the student only of ${opset}`, {
      ...(source.path !== undefined && { file: source.path }),
      hint: `Raise the student first: upgradeOpset(model, ${own})`,
    });
  }
  if (own < opset) upgradeOpset(model, opset);
  for (const value of allValues(model.graph)) if (value.producer) value.type = undefined;
  for (const input of model.graph.inputs) {
    if (input.initializer) continue;
    const feed = inputs.get(input.name);
    if (!feed) {
      throw new WhittleError('the student has nothing for an input of the teacher', {
        ...(source.path !== undefined && { file: source.path }),
        value: input.name,
        hint: 'Say which of its inputs it is: inputs: { teacher_name: student_name }',
      });
    }
    checkFits(input, feed, source.path);
    input.type = feed.type;
  }
  inferShapes(model, { registry: OPS });
  return model;
}

/**
 * A batch of another size than a file declares, which is often 1, may do: shapes are inferred anew.
 * @throws WhittleError where a teacher reads something else than the student
 */
function checkFits(input: Value, feed: Value, file: string | undefined): void {
  const [wanted, given] = [input.shape, feed.shape];
  const fits =
    (!input.dtype || !feed.dtype || input.dtype === feed.dtype) &&
    (!wanted ||
      !given ||
      (wanted.length === given.length &&
        wanted.every((dim, i) => i === 0 || typeof dim !== 'number' || !isOther(given[i], dim))));
  if (fits) return;
  const words = ({ dtype, shape }: Value) => `${dtype} [${shape?.map(dim => dim ?? '?').join(', ')}]`;
  throw new WhittleError(
    `the teacher reads ${words(input)}, and the student's ${feed.name} is ${words(feed)}`,
    {
      ...(file !== undefined && { file }),
      value: input.name,
      hint: 'A teacher sees the batches of the student as they are: take one that was trained on such data',
    },
  );
}

const isOther = (dim: unknown, wanted: number): boolean => typeof dim === 'number' && dim !== wanted;
