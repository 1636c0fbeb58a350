import { substitute } from '../dims.js';
import { WhittleError } from '../errors.js';
import type { Graph } from '../graph.js';
import type { KnownElements } from '../ops/index.js';
import { type Dim, type Shape, tensorType, type Value, type ValueType } from '../value.js';

/**
 * Types of a graph's inputs, with given shapes in the place of declared ones. A given size also stands for its name
 * in the other inputs. Sizes without a name get one (`x.0`), so that equal ones are seen to be equal.
 * `stale` says that a declared number was replaced: shapes that the file declares inside no longer hold.
 * @throws WhittleError where a name is no input or the rank differs
 */
export function inputTypes(
  graph: Graph,
  given: Readonly<Record<string, readonly Dim[]>> = {},
): { types: Map<Value, ValueType | undefined>; stale: boolean } {
  for (const name of Object.keys(given)) inputNamed(graph, name);
  const sizes = new Map<string, number>();
  let stale = false;
  for (const input of graph.inputs) {
    const shape = Object.hasOwn(given, input.name) ? given[input.name] : undefined;
    if (!shape) continue;
    const declared = input.shape;
    if (declared && declared.length !== shape.length) {
      throw new WhittleError(`the shape [${shape}] has rank ${shape.length}, the input ${declared.length}`, {
        value: input.name,
      });
    }
    declared?.forEach((dim, i) => {
      const size = shape[i]!;
      if (typeof dim === 'string' && typeof size === 'number') sizes.set(dim, size);
      if (typeof dim === 'number' && dim !== size) stale = true;
    });
  }
  const types = new Map<Value, ValueType | undefined>();
  graph.inputs.forEach((input, i) => {
    if (input.initializer && !Object.hasOwn(given, input.name)) return;
    const shape: Shape | undefined = Object.hasOwn(given, input.name)
      ? given[input.name]
      : input.shape?.map(dim => substitute(dim, sizes));
    if (shape && (!input.type || input.type.kind === 'tensor')) {
      const label = /^[A-Za-z_]\w*$/.test(input.name) ? input.name : `input${i}`;
      types.set(
        input,
        tensorType(
          input.dtype,
          shape.map((dim, axis) => dim ?? `${label}.${axis}`),
        ),
      );
    } else types.set(input, input.type);
  });
  return { types, stale };
}

/** Known elements of inputs, e.g. a sample rate. @throws WhittleError where a name is no input or the size is wrong */
export function inputElements(
  graph: Graph,
  given: Readonly<Record<string, readonly number[]>> = {},
  types: ReadonlyMap<Value, ValueType | undefined>,
): Map<Value, KnownElements> {
  const elements = new Map<Value, KnownElements>();
  for (const [name, values] of Object.entries(given)) {
    const input = inputNamed(graph, name);
    const type = types.get(input) ?? input.type;
    const declared = type?.kind === 'tensor' ? type.shape : undefined;
    const dims = declared?.length === 0 ? [] : [values.length];
    const misfit =
      declared && (declared.length > 1 || (typeof declared[0] === 'number' && declared[0] !== values.length));
    if (misfit || (dims.length === 0 && values.length !== 1)) {
      throw new WhittleError(`${values.length} values do not fill the shape [${declared ?? '?'}]`, {
        value: name,
      });
    }
    elements.set(input, { dims, values });
  }
  return elements;
}

function inputNamed(graph: Graph, name: string): Value {
  const input = graph.inputs.find(candidate => candidate.name === name);
  if (input) return input;
  throw new WhittleError('the graph has no such input', {
    value: name,
    hint: `Its inputs are ${graph.inputs.map(candidate => candidate.name).join(', ')}`,
  });
}
