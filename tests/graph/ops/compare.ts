import ort from 'onnxruntime-node';
import { expect } from 'vitest';
import type { AttributeInput } from '../../../src/graph/attribute.js';
import { substitute } from '../../../src/graph/dims.js';
import type { DType } from '../../../src/graph/dtype.js';
import type { Graph, NodeOptions } from '../../../src/graph/graph.js';
import { analyzeShapes } from '../../../src/graph/infer/index.js';
import { Model } from '../../../src/graph/model.js';
import type { NodeInput } from '../../../src/graph/node.js';
import { sizeOf, Tensor } from '../../../src/graph/tensor.js';
import { tensorType, type Value } from '../../../src/graph/value.js';
import { type Observed, observe, symbolSizes } from '../observe.js';

/** Deterministic numbers for shapes and data. */
class Numbers {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return low + (Math.floor(this.state / 65536) % (high - low + 1));
  }

  pick<T>(...choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)]!;
  }

  shape(rank: number, low = 1, high = 5): number[] {
    return Array.from({ length: rank }, () => this.int(low, high));
  }

  shuffle<T>(items: readonly T[]): T[] {
    const rest = [...items];
    return items.map(() => rest.splice(this.int(0, rest.length - 1), 1)[0]!);
  }
}

/** A model under construction, with data for its inputs. */
export class Cases {
  readonly model = new Model();
  readonly feeds: Record<string, ort.Tensor> = {};
  readonly random: Numbers;

  constructor(seed: number, opset: number) {
    this.random = new Numbers(seed);
    this.model.irVersion = 10;
    this.model.opsets = new Map([
      ['', opset],
      ['com.microsoft', 1],
    ]);
  }

  get graph(): Graph {
    return this.model.graph;
  }

  /** An input of the model with random data; integers are 0 or 1, so that they serve as indices. */
  input(dims: readonly number[], dtype: DType = 'float32'): Value {
    const value = this.graph.addInput(this.graph.freshName('x'), tensorType(dtype, dims));
    const numbers = Array.from({ length: sizeOf(dims) }, () =>
      dtype === 'float32' ? this.random.int(-40, 40) / 16 : this.random.int(0, 1),
    );
    const data = Tensor.fromNumbers(dtype, dims, numbers).data();
    this.feeds[value.name] = new ort.Tensor(dtype as 'float32', data as Float32Array, dims);
    return value;
  }

  weight(dims: readonly number[], dtype: DType = 'float32'): Value {
    const numbers = Array.from({ length: sizeOf(dims) }, () => this.random.int(0, 3));
    return this.graph.constant(Tensor.fromNumbers(dtype, dims, numbers));
  }

  ints(...values: number[]): Value {
    return this.graph.constant(Tensor.int64(values));
  }

  scalar(value: number, dtype: DType = 'int64'): Value {
    return this.graph.constant(Tensor.fromNumbers(dtype, [], [value]));
  }

  floats(...values: number[]): Value {
    return this.graph.constant(Tensor.float32([values.length], values));
  }

  op(
    opType: string,
    inputs: readonly NodeInput[],
    attributes: Readonly<Record<string, AttributeInput | undefined>> = {},
    options: NodeOptions = {},
  ): Value {
    return this.graph.op(opType, inputs, attributes, options);
  }

  microsoft(
    opType: string,
    inputs: readonly NodeInput[],
    attributes: Readonly<Record<string, AttributeInput | undefined>> = {},
    options: NodeOptions = {},
  ): Value {
    return this.graph.op(opType, inputs, attributes, { domain: 'com.microsoft', ...options });
  }
}

/**
 * Builds cases, runs them, and expects that inference gives each output's dtype and shape: exactly where the inputs
 * are fixed (but for the operators in `dataDependent`), and without contradiction where all sizes of the inputs are
 * names.
 * @returns the share of dimensions that came out for named sizes
 */
export async function expectShapes(
  build: (cases: Cases) => void,
  { opset = 21, seeds = 6, dataDependent = [] as readonly string[] } = {},
): Promise<number> {
  let known = 0;
  let all = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const cases = new Cases(seed * 7919, opset);
    build(cases);
    const { model, graph } = cases;
    const observed = await observe(model, cases.feeds);
    const fixed = analyzeShapes(model);
    const names = Object.fromEntries(
      graph.inputs.map(input => [input.name, input.shape!.map((_, axis) => `${input.name}_${axis}`)]),
    );
    const symbolic = analyzeShapes(model, { inputShapes: names });
    const sizes = symbolSizes(graph, symbolic, observed);
    expect(fixed.problems).toEqual([]);
    for (const node of graph.nodes) {
      for (const value of node.outputs) {
        if (!value) continue;
        const seen = observed.get(value.name);
        const place = `${node.opType} "${value.name}" (seed ${seed})`;
        expect(seen, place).toBeDefined();
        const type = fixed.typeOf(value);
        if (dataDependent.includes(node.opType) && type?.kind === 'tensor') {
          const shape = type.shape?.map((dim, i) => dim ?? seen!.dims[i]);
          expect([place, type.dtype, shape]).toEqual([place, seen!.dtype, seen!.dims]);
          continue;
        }
        expect([place, type]).toEqual([place, { kind: 'tensor', dtype: seen!.dtype, shape: seen!.dims }]);
        expectElements(place, fixed.elementsOf(value)?.values, seen!);
        const general = symbolic.typeOf(value);
        const shape = general?.kind === 'tensor' ? general.shape : undefined;
        all += seen!.dims.length;
        if (!shape) continue;
        known += shape.filter(dim => dim !== null).length;
        expect([
          place,
          shape.map((dim, i) => (dim === null ? seen!.dims[i] : substitute(dim, sizes))),
        ]).toEqual([place, seen!.dims]);
      }
    }
  }
  return known / all;
}

/** Elements known before the run are those that the run gave. */
function expectElements(place: string, values: readonly unknown[] | undefined, seen: Observed): void {
  if (!values) return;
  const actual = Array.from(seen.data as Float32Array, Number);
  values.forEach((value, i) => {
    if (typeof value === 'number') expect([place, i, value]).toEqual([place, i, actual[i]]);
  });
}
