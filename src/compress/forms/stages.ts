import { dtypeCode } from '../../graph/dtype.js';
import { Graph } from '../../graph/graph.js';
import { Tensor } from '../../graph/tensor.js';
import type { Value } from '../../graph/value.js';
import { sharedConstant } from './constants.js';

/*
 * ONNX Runtime folds constants in passes over the graph, and lets go of intermediate results when a pass is over. What a
 * large model unpacks in one pass lies in memory all at once: 20 to 35 bytes for each weight of 4. So weights are dealt to
 * stages, and each stage is unpacked in a pass of its own.
 *
 * The packed integers of a stage come out of an If. Its condition is made from the shape of an output of the If before,
 * which has another shape in the branch that is never taken: nobody knows the shape until the If has been replaced by its
 * branch and the pass is over, since only then shapes are inferred anew. Nothing of this is left in the loaded model. A
 * runtime that does not look into an If runs the same graph, with the same result, and unpacks at each run.
 */

/** The version of ONNX's operators from which the branches of an If may differ in shape. */
export const STAGES_FROM = 11;

/** ONNX Runtime makes up to ten passes; what is not unpacked by then is unpacked at each run. */
const STAGES = 8;

/** Fewer bytes are not worth a place in an If. */
const LEAST_BYTES = 4096;

/** A weight in the fold form. */
export interface PackedWeight {
  /** The constants that it is unpacked from. */
  readonly constants: readonly Value[];
  /** Its numbers once it is unpacked. */
  readonly size: number;
}

/** Lets ONNX Runtime unpack the weights of a graph in several passes, each about as large a part. */
export function unpackInStages(graph: Graph, weights: readonly PackedWeight[]): void {
  let condition = sharedConstant(graph, Tensor.from('bool', [1], Uint8Array.of(1)));
  // The first stage needs nothing: it is unpacked in the first pass as it is.
  for (const stage of deal(weights).slice(1)) {
    const packed = stage.flatMap(({ constants }) => constants.filter(isPacked));
    if (packed.length > 0) condition = holdBack(graph, packed, condition);
  }
}

const isPacked = ({ initializer }: Value): boolean =>
  initializer instanceof Tensor &&
  (initializer.dtype === 'uint8' || initializer.dtype === 'int8') &&
  initializer.byteLength >= LEAST_BYTES;

/** The largest weights first, each to the stage with the fewest numbers; the fullest stage first, while little else is in memory. */
function deal(weights: readonly PackedWeight[]): PackedWeight[][] {
  const stages = Array.from({ length: STAGES }, () => ({ weights: [] as PackedWeight[], size: 0 }));
  for (const weight of [...weights].sort((a, b) => b.size - a.size)) {
    const stage = stages.reduce((least, other) => (other.size < least.size ? other : least));
    stage.weights.push(weight);
    stage.size += weight.size;
  }
  return stages.sort((a, b) => b.size - a.size).map(stage => stage.weights);
}

/**
 * Puts constants behind an If.
 * @returns a condition that holds, and becomes a constant one pass after the given one
 */
function holdBack(graph: Graph, constants: readonly Value[], condition: Value): Value {
  const users = constants.map(({ consumers }) => consumers);
  const marker = sharedConstant(graph, Tensor.from('uint8', [1], Uint8Array.of(1)));
  const passed = [...constants, marker];
  const node = graph.node(
    'If',
    [condition],
    {
      then_branch: branchOf(graph, passed),
      else_branch: branchOf(
        graph,
        passed.map(({ dtype }) => sharedConstant(graph, Tensor.fromNumbers(dtype!, [], [0]))),
      ),
    },
    { outputs: passed.map(() => 'p') },
  );
  for (const [i, constant] of constants.entries()) {
    const held = node.outputs[i]!;
    for (const user of users[i]!) {
      for (const [at, input] of user.inputs.entries()) if (input === constant) user.setInput(at, held);
    }
  }
  const shape = graph.op('Shape', [node.outputs.at(-1)!], {}, { outputs: ['p'] });
  return graph.op('Cast', [shape], { to: dtypeCode('bool') }, { outputs: ['p'] });
}

/** A branch that hands out values of the graph around it. */
function branchOf(graph: Graph, values: readonly Value[]): Graph {
  const branch = new Graph('b');
  for (const value of values) {
    // A name of the graph around it would hide that.
    const output = branch.op('Identity', [value], {}, { outputs: [graph.freshName('b')] });
    output.type = value.type;
    branch.addOutput(output);
  }
  return branch;
}
