import { WhittleError } from '../errors.js';
import { Graph } from '../graph.js';
import { analyzeShapes } from '../infer/index.js';
import type { Model } from '../model.js';
import type { Node } from '../node.js';
import { OPS, type OpRegistry } from '../ops/index.js';
import type { Value } from '../value.js';
import { removeDead } from './dead.js';
import { type Evaluate, FoldPlan, replaceByConstant, resultsOf } from './fold-plan.js';

/** What reads a constant in common belongs together, unless it is as small as a shape or a scale. */
const SHARED_BYTES = 1024;
/** Bytes that are computed at once, and the most that a part may have: a file of ONNX ends at 2 GB. */
const AT_ONCE = 1 << 26;
const MOST_BYTES = 2 ** 30;

/**
 * Replaces weights that a model puts together from constants (Concat, Transpose, sums and products of factors …) by
 * their values, where it becomes no larger: a part of the graph stays as it is if what is read of it takes more bytes
 * than the constants that nothing else uses. What the runtime cannot compute by itself stays, too.
 * @returns how many values became constants
 */
export async function foldWeights(
  model: Model,
  evaluate: Evaluate,
  registry: OpRegistry = OPS,
): Promise<number> {
  const analysis = analyzeShapes(model, { registry });
  const plan = new FoldPlan(model, analysis, registry);
  const parts = connected(plan).filter(({ before, after }) => after <= before && before + after < MOST_BYTES);
  let count = 0;
  const fold = async (together: readonly Part[]): Promise<void> => {
    const results = await plan.results(new Set(together.flatMap(({ nodes }) => nodes)), evaluate);
    for (const [value, tensor] of results) replaceByConstant(value, tensor);
    count += results.size;
  };
  for (const batch of batches(parts)) {
    await fold(batch).catch(async (error: unknown) => {
      if (!(error instanceof WhittleError)) throw error;
      if (batch.length > 1) for (const part of batch) await fold([part]).catch(ignoreRefusal);
    });
  }
  if (count > 0) removeDead(model.graph);
  return count;
}

function ignoreRefusal(error: unknown): void {
  if (!(error instanceof WhittleError)) throw error;
}

interface Part {
  /** In order. */
  readonly nodes: readonly Node[];
  /** Bytes of the constants that only these nodes read. */
  readonly before: number;
  /** Bytes of what others read of them. */
  readonly after: number;
}

/** The parts of a plan: nodes that depend on one another, or read a larger constant in common. */
function connected(plan: FoldPlan): Part[] {
  const parts: Part[] = [];
  const placed = new Set<Node>();
  const order = new Map([...plan.nodes].map((node, i) => [node, i]));
  for (const first of plan.nodes) {
    if (placed.has(first)) continue;
    const found = new Set<Node>();
    const waiting = [first];
    for (let node = waiting.pop(); node; node = waiting.pop()) {
      if (found.has(node)) continue;
      found.add(node);
      for (const value of [...node.inputs, ...node.outputs]) {
        if (!value || (Graph.constantOf(value) && plan.bytesOf(value) < SHARED_BYTES)) continue;
        const { producer } = value;
        for (const other of producer ? [producer, ...value.consumers] : value.consumers) {
          if (plan.nodes.has(other)) waiting.push(other);
        }
      }
    }
    for (const node of found) placed.add(node);
    const nodes = [...found].sort((a, b) => order.get(a)! - order.get(b)!);
    parts.push({ nodes, ...measured(plan, found) });
  }
  return parts;
}

function measured(plan: FoldPlan, nodes: ReadonlySet<Node>): Pick<Part, 'before' | 'after'> {
  const constants = new Set([...nodes].flatMap(({ inputs }) => inputs));
  const total = (values: Iterable<Value>): number => {
    let sum = 0;
    for (const value of values) sum += plan.bytesOf(value);
    return sum;
  };
  const onlyHere = [...constants].filter(
    (value): value is Value =>
      value !== null &&
      Graph.constantOf(value) !== undefined &&
      value.consumers.every(consumer => nodes.has(consumer)) &&
      !value.producer?.graph?.isOutput(value),
  );
  return { before: total(onlyHere), after: total(resultsOf(nodes)) };
}

/** Parts that are computed together. */
function* batches(parts: readonly Part[]): Generator<readonly Part[]> {
  let batch: Part[] = [];
  let bytes = 0;
  for (const part of parts) {
    const own = part.before + part.after;
    if (batch.length > 0 && bytes + own > AT_ONCE) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(part);
    bytes += own;
  }
  if (batch.length > 0) yield batch;
}
