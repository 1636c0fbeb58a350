import { bitsOf, type DType, dtypeFromCode } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import { Tensor } from '../graph/tensor.js';
import { tensorType, type Value } from '../graph/value.js';
import { createSession, openSession } from './create.js';
import { intermediates, mayPass } from './expose.js';
import { unsupportedType } from './failure.js';
import type { SessionOptions } from './options.js';
import type { Session, Tensors } from './session.js';
import { encodeSource, type Source } from './source.js';

/** What a value held in one run. */
export interface Traced {
  /** `undefined` for types that ONNX has and we do not know. */
  readonly dtype: DType | undefined;
  readonly dims: readonly number[];
}

/**
 * Learns the dtype and shape of every tensor outside of subgraphs by running the model once: inputs, constants,
 * intermediate values and outputs. The run hands out shapes alone, so that it takes no more memory than any other.
 * @returns by name; sequences, maps, optional values and computed integers of less than a byte are left out
 * @throws WhittleError as `createSession` and `Session.run` do
 */
export async function traceShapes(
  model: Model,
  feeds: Tensors,
  options: Pick<SessionOptions, 'provider' | 'threads'> = {},
): Promise<Map<string, Traced>> {
  const traced = new Map<string, Traced>();
  for (const value of model.graph.initializers) {
    const constant = value.initializer!;
    const dtype = constant instanceof Tensor ? constant.dtype : constant.values.dtype;
    traced.set(value.name, { dtype, dims: constant.dims });
  }
  for (const node of model.graph.nodes) {
    const constant = Graph.constantOf(node.outputs[0]);
    if (constant) traced.set(node.output.name, { dtype: constant.dtype, dims: constant.dims });
  }
  for (const [name, { dtype, dims }] of Object.entries(feeds)) traced.set(name, { dtype, dims });

  const settings: SessionOptions = { ...options, optimization: 'none' };
  const dtypes = await learnDTypes(model, settings);
  const values = computed(model).filter(value => dtypes.has(value) && hasShape(dtypes.get(value)));
  const session = await shapeSession(model, values, settings);
  try {
    const dims = await session.run(feeds);
    session.outputs.forEach((output, i) => {
      const value = values[i]!;
      traced.set(value.name, { dtype: dtypes.get(value), dims: dims[output.name]!.toNumbers() });
    });
  } finally {
    await session.release();
  }
  return traced;
}

/** Whether ONNX Runtime has the operator Shape for a dtype: not for elements of less than a byte. */
const hasShape = (dtype: DType | undefined): boolean =>
  dtype === undefined || dtype === 'string' || bitsOf(dtype) >= 8;

/** What the nodes of a graph compute, its outputs included. */
const computed = (model: Model): Value[] => [
  ...intermediates(model.graph),
  ...model.graph.outputs.filter(output => output.producer),
];

/** The dtypes of all tensors, as ONNX Runtime infers them when it loads the model. */
async function learnDTypes(model: Model, settings: SessionOptions): Promise<Map<Value, DType | undefined>> {
  const dtypes = new Map<Value, DType | undefined>();
  const unknown: Value[] = [];
  for (const value of computed(model)) {
    if (value.dtype !== undefined) dtypes.set(value, value.dtype);
    else if (mayPass(value)) unknown.push(value);
  }
  await learn(unknown);
  return dtypes;

  /** A session with an output that JavaScript cannot hold does not even load: then each half is tried. */
  async function learn(values: readonly Value[]): Promise<void> {
    if (values.length === 0) return;
    let session: Session;
    try {
      session = await createSession(model, { ...settings, expose: values.map(value => value.name) });
    } catch (error) {
      const code = error instanceof WhittleError ? unsupportedType(error.cause) : undefined;
      if (code === undefined) throw error;
      if (values.length === 1) {
        dtypes.set(values[0]!, dtypeFromCode(code));
        return;
      }
      const half = values.length >> 1;
      await learn(values.slice(0, half));
      await learn(values.slice(half));
      return;
    }
    await session.release();
    for (const value of values) {
      const dtype = session.dtypes.get(value.name);
      if (dtype !== undefined) dtypes.set(value, dtype);
    }
  }
}

/** A session whose outputs are the shapes of the given values, in their order. */
async function shapeSession(
  model: Model,
  values: readonly Value[],
  settings: SessionOptions,
): Promise<Session> {
  const { graph } = model;
  const own = graph.outputs.splice(0);
  const nodes = values.map(value => graph.node('Shape', [value], {}, { outputs: [`${value.name}_shape`] }));
  for (const node of nodes) node.output.type = tensorType('int64');
  let source: Source;
  try {
    source = encodeSource(
      model,
      nodes.map(node => node.output),
    );
  } finally {
    for (const node of nodes) graph.remove(node);
    graph.outputs.push(...own);
  }
  return openSession({ ...source, exposed: [] }, settings);
}
