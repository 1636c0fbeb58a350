import { Tensor } from '../../graph/tensor.js';
import { tensorType, type Value } from '../../graph/value.js';
import type { Network } from '../../nn/network.js';
import type { Parameter } from '../../nn/parameter.js';
import type { Group } from './groups.js';

/**
 * What is one tensor in the step: a large parameter, or several small ones end to end. Each input and output of a run
 * costs about 8 µs and each node a few, so that dozens of biases and scales are cheaper as one vector.
 */
export interface Unit {
  /** Name of the graph's input. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly dims: readonly number[];
  /** Absent for buffers, which no optimizer touches. */
  readonly group: Group | undefined;
}

export interface UnitOptions {
  readonly groupOf: (parameter: Parameter) => Group;
  /** Whether a parameter must be a unit of its own. */
  readonly separate: (parameter: Parameter) => boolean;
  /** Largest number of elements that is still laid end to end with others. */
  readonly flattenBelow: number;
  /** The most parameters that are laid end to end. */
  readonly flattenTogether: number;
}

/** Decides which parameters become one tensor. Frozen parameters stay constants of the graph. */
export function planUnits(network: Network, options: UnitOptions): Unit[] {
  const { groupOf, separate, flattenBelow, flattenTogether } = options;
  const units: Unit[] = [];
  const flat = new Map<Group | undefined, Parameter[]>();
  for (const parameter of network.parameters.values()) {
    const buffer = parameter.kind === 'buffer';
    if (buffer ? !network.updates.has(parameter.name) : !parameter.trainable) continue;
    const group = buffer ? undefined : groupOf(parameter);
    if (parameterSize(parameter) > flattenBelow || (!buffer && separate(parameter))) {
      units.push({ name: parameter.name, parameters: [parameter], dims: parameter.dims, group });
    } else flat.set(group, [...(flat.get(group) ?? []), parameter]);
  }
  for (const [group, all] of flat) {
    for (let from = 0; from < all.length; from += flattenTogether) {
      const parameters = all.slice(from, from + flattenTogether);
      const part = from === 0 ? '' : `/${from}`;
      units.push(endToEnd(`flat/${group?.name ?? 'buffers'}${part}`, parameters, group));
    }
  }
  return units;
}

function endToEnd(name: string, parameters: readonly Parameter[], group: Group | undefined): Unit {
  const [only] = parameters;
  if (parameters.length === 1) return { name: only!.name, parameters, dims: only!.dims, group };
  const size = parameters.reduce((sum, parameter) => sum + parameterSize(parameter), 0);
  return { name, parameters, dims: [size], group };
}

/**
 * Makes the units inputs of the network's graph. Parameters of the network keep their values, which are now computed
 * from the inputs.
 * @returns the input of each unit, and the value of each parameter by name
 */
export function attachUnits(
  network: Network,
  units: readonly Unit[],
): { inputs: Map<Unit, Value>; values: Map<string, Value> } {
  const { graph } = network;
  const inputs = new Map<Unit, Value>();
  const values = new Map<string, Value>();
  for (const unit of units) {
    const olds = unit.parameters.map(parameter => network.parameter(parameter.name).value);
    for (const old of olds) {
      graph.initializers.delete(old);
      old.initializer = undefined;
    }
    if (unit.parameters.length === 1) {
      const value = olds[0]!;
      value.type = tensorType('float32', unit.dims);
      value.declared = true;
      graph.inputs.push(value);
      inputs.set(unit, value);
      values.set(unit.name, value);
      continue;
    }
    const input = graph.addInput(unit.name, tensorType('float32', unit.dims));
    inputs.set(unit, input);
    const sizes = graph.constant(Tensor.int64(unit.parameters.map(parameterSize)), `${unit.name}/sizes`);
    const split = graph.node(
      'Split',
      [input, sizes],
      { axis: 0 },
      { name: `${unit.name}/split`, outputs: unit.parameters.length },
    );
    unit.parameters.forEach(({ name, dims }, i) => {
      const piece = split.outputs[i]!;
      piece.type = tensorType('float32', [parameterSize(unit.parameters[i]!)]);
      const value =
        dims.length === 1
          ? piece
          : graph.op('Reshape', [piece, graph.constant(Tensor.int64(dims), `${name}/shape`)]);
      value.type = tensorType('float32', dims);
      graph.replaceUses(olds[i]!, value);
      values.set(name, value);
    });
  }
  return { inputs, values };
}

export const parameterSize = ({ dims }: Pick<Parameter, 'dims'>): number =>
  dims.reduce((product, dim) => product * dim, 1);
