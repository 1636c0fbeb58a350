import { dtypeCode } from '../graph/dtype.js';
import { WhittleError } from '../graph/errors.js';
import { Graph } from '../graph/graph.js';
import type { Node } from '../graph/node.js';
import { Tensor } from '../graph/tensor.js';
import { tensorType, type Value } from '../graph/value.js';
import { Random } from '../random/random.js';

/**
 * Makes dropout repeatable: each Dropout node that drops is replaced by arithmetic in which the mask depends on `seed`
 * and the node's place alone, not on the runtime's own generator. So a step can be run again, resumed, or run on
 * another machine with the same result. Feed another seed at each step.
 *
 * Seen as a matrix (everything else × last dimension), element (i, j) is kept where a hash of the row times a hash of
 * the column, modulo 2^32, reaches rate · 2^32: one multiplication and one comparison an element, since only the rows
 * and columns are hashed.
 * There is no way back to an inference form; apply it to a clone of the network (`cloneNetwork`).
 * @param seed a uint32 scalar, usually an input
 * @returns how many were replaced
 * @throws WhittleError for a rate that is not constant, or the seed of another dtype
 */
export function seedDropout(graph: Graph, seed: Value): number {
  if (seed.dtype !== 'uint32') {
    throw new WhittleError(`the seed of dropout must be uint32, not ${seed.dtype}`, { value: seed.name });
  }
  let count = 0;
  for (const node of [...graph.nodes]) {
    if (node.opType !== 'Dropout' || node.domain !== '') continue;
    const training = Graph.constantOf(node.inputs[2]);
    if (training && training.toNumbers()[0] === 1) replace(graph, node, seed, count++);
  }
  return count;
}

function replace(graph: Graph, node: Node, seed: Value, place: number): void {
  const x = node.inputs[0]!;
  const rate = node.inputs[1] ? Graph.constantOf(node.inputs[1])?.toNumbers()[0] : 0.5;
  if (rate === undefined || !(rate >= 0 && rate < 1)) {
    throw new WhittleError('dropout needs a constant rate of at least 0 and below 1', { node: node.label });
  }
  const kept = keepMask(new HashBuilder(graph, seed, new Random(place, 'dropout')), x, rate);
  const factor = graph.op('Where', [
    kept,
    graph.constant(Tensor.scalar(1 / (1 - rate))),
    graph.constant(Tensor.scalar(0)),
  ]);
  factor.type = x.type;
  const dropped = graph.op('Mul', [x, factor]);
  dropped.type = x.type;
  graph.replaceUses(node.output, dropped);
  const mask = node.outputs[1];
  if (mask) graph.replaceUses(mask, kept);
  graph.remove(node);
}

/**
 * A mask of the shape of x, false for a share of its elements that depends on the seed and the key alone.
 * @param seed a uint32 scalar
 * @param rate the share, at least 0 and below 1
 */
export const hashedMask = (graph: Graph, x: Value, seed: Value, key: string, rate: number): Value =>
  keepMask(new HashBuilder(graph, seed, new Random(0, key)), x, rate);

function keepMask(make: HashBuilder, x: Value, rate: number): Value {
  const threshold = make.uint32(Math.min(Math.round(rate * 2 ** 32), 2 ** 32 - 1));
  const kept = make.graph.op('GreaterOrEqual', [make.hashesLike(x), threshold]);
  kept.type = tensorType('bool', x.shape);
  return kept;
}

/**
 * Pseudo-random numbers in [0, 1) of the shape of x, which depend on the seed and the key alone.
 * @param seed a uint32 scalar
 */
export function hashedNumbers(graph: Graph, x: Value, seed: Value, key: string): Value {
  const hashes = new HashBuilder(graph, seed, new Random(0, key)).hashesLike(x);
  const numbers = graph.op('Cast', [hashes], { to: dtypeCode('float32') });
  const result = graph.op('Mul', [numbers, graph.constant(Tensor.scalar(2 ** -32))]);
  result.type = x.type;
  return result;
}

/** Builds the hashes of rows and columns of one dropout. */
class HashBuilder {
  readonly graph: Graph;
  private readonly seed: Value;
  private readonly random: Random;

  constructor(graph: Graph, seed: Value, random: Random) {
    this.graph = graph;
    this.seed = seed;
    this.random = random;
  }

  /** A pseudo-random number for each element of x, of its shape: a hash of the row times one of the column. */
  hashesLike(x: Value): Value {
    const { graph } = this;
    const shape = graph.op('Shape', [x]);
    const columns = graph.op('Gather', [shape, this.int64(-1)]);
    const rows = graph.op('Div', [graph.op('Size', [x]), columns]);
    const product = graph.op('Mul', [
      graph.op('Unsqueeze', [this.hashes(rows), this.int64(1, [1])]), // (rows, 1)
      this.hashes(columns), // (columns)
    ]);
    return graph.op('Reshape', [product, shape]);
  }

  uint32(value: number): Value {
    return this.graph.constant(Tensor.from('uint32', [], Uint32Array.of(value)));
  }

  int64(value: number, dims: readonly number[] = []): Value {
    return this.graph.constant(Tensor.int64([value], dims));
  }

  /**
   * Odd pseudo-random numbers for 0 … count − 1: each number and the seed, mixed by rounds of x (2x + 1), which is a
   * permutation (it is the one of the cipher RC6), with the halves swapped in between.
   */
  hashes(count: Value): Value {
    const { graph } = this;
    const range = graph.op('Range', [this.int64(0), count, this.int64(1)]);
    const numbers = graph.op('Cast', [range], { to: dtypeCode('uint32') });
    const key = graph.op('Add', [graph.op('Mul', [this.seed, this.odd()]), this.odd()]);
    let x = graph.op('Add', [graph.op('Mul', [numbers, this.odd()]), key]);
    for (let round = 0; round < 3; round++) {
      x = graph.op('Mul', [x, this.doubledPlusOne(x)]);
      const high = graph.op('BitShift', [x, this.uint32(16)], { direction: 'RIGHT' });
      x = graph.op('Add', [high, graph.op('Mul', [x, this.uint32(65536)])]);
    }
    return this.doubledPlusOne(x);
  }

  private doubledPlusOne(x: Value): Value {
    return this.graph.op('Add', [this.graph.op('Add', [x, x]), this.uint32(1)]);
  }

  private odd(): Value {
    return this.uint32((this.random.uint32() | 1) >>> 0);
  }
}
