import { WhittleError } from '../../graph/errors.js';
import type { Graph } from '../../graph/graph.js';
import type { Model } from '../../graph/model.js';
import type { Node } from '../../graph/node.js';
import { axesToInput } from './axes.js';
import { batchNormalization } from './batch-normalization.js';
import { type Change, ChangeContext } from './change.js';
import { clip } from './clip.js';
import { dropout } from './dropout.js';
import { groupNormalization } from './group-normalization.js';
import { pad } from './pad.js';
import { refused } from './refused.js';
import { renamed } from './renamed.js';
import { resize } from './resize.js';
import { scalarsToInput } from './scalars.js';
import { slice } from './slice.js';
import { softmax } from './softmax.js';
import { split } from './split.js';

export const OLDEST_OPSET = 7;
export const NEWEST_OPSET = 21;

/** All changes of form or meaning between the oldest and the newest version. */
export const CHANGES: readonly Change[] = [
  ...axesToInput,
  ...batchNormalization,
  ...clip,
  ...dropout,
  ...groupNormalization,
  ...pad,
  ...refused,
  ...renamed,
  ...resize,
  ...scalarsToInput,
  ...slice,
  ...softmax,
  ...split,
];

const BY_OP = new Map<string, Change[]>();
for (const change of CHANGES) BY_OP.set(change.op, [...(BY_OP.get(change.op) ?? []), change]);

/** The IR version that came with each operator set: older readers take no newer one. */
const IR_VERSIONS: readonly [opset: number, ir: number][] = [
  [21, 10],
  [19, 9],
  [15, 8],
  [12, 7],
  [11, 6],
  [10, 5],
  [9, 4],
];

/**
 * Raises ONNX's operator set of a model, its subgraphs and functions to `target`, rewriting the nodes whose form or
 * meaning changed on the way so that results stay the same. Models at or above `target` stay as they are.
 * @throws WhittleError naming the nodes that have no safe equivalent; the model is then unchanged
 */
export function upgradeOpset(model: Model, target: number): void {
  if (!Number.isInteger(target) || target > NEWEST_OPSET) {
    throw new WhittleError(`operator set ${target} is not known`, {
      file: model.path,
      hint: `Upgrade to ${NEWEST_OPSET} at most`,
    });
  }
  const parts = [
    { graph: model.graph, opsets: model.opsets },
    ...model.functions.map(({ graph, opsets }) => ({ graph, opsets })),
  ].map(({ graph, opsets }) => ({ graph, opsets, from: opsets.get('') ?? target }));
  if (parts.every(({ from }) => from >= target)) return;
  const context = new ChangeContext(model);
  for (const { graph, from } of parts) checkAll(model, graph, from, target, context);
  for (const { graph, opsets, from } of parts) {
    for (let version = from + 1; version <= target; version++) applyAll(graph, version, context);
    if (opsets.has('')) opsets.set('', Math.max(from, target));
    sortAll(graph);
  }
  context.removeUnused();
  raiseIrVersion(model, target);
}

function checkAll(model: Model, graph: Graph, from: number, target: number, context: ChangeContext): void {
  if (from < OLDEST_OPSET) {
    throw new WhittleError(`operator set ${from} is too old to upgrade`, {
      file: model.path,
      hint: `Export the model with operator set ${OLDEST_OPSET} or newer`,
    });
  }
  const problems: { node: Node; why: string }[] = [];
  for (const node of graph.allNodes()) {
    for (const change of changesOf(node)) {
      if (change.version <= from || change.version > target) continue;
      const reference = change.reads?.find(name => node.attributes.get(name)?.type === 'reference');
      const why = reference
        ? `its attribute "${reference}" is that of a function`
        : change.refuse?.(node, context);
      if (why) problems.push({ node, why });
    }
  }
  if (problems.length === 0) return;
  const listed = problems.slice(0, 5).map(({ node, why }) => `${node.opType} "${node.label}": ${why}`);
  const more = problems.length > 5 ? ` and ${problems.length - 5} more` : '';
  throw new WhittleError(
    `the model cannot go from operator set ${from} to ${target}: ${listed.join('; ')}${more}`,
    { file: model.path, node: problems[0]!.node.label, hint: `Export it with operator set ${target}` },
  );
}

function applyAll(graph: Graph, version: number, context: ChangeContext): void {
  // A change may add or replace nodes.
  for (const node of [...graph.allNodes()]) {
    changesOf(node)
      .filter(change => change.version === version)
      .forEach(change => change.apply(node, context));
  }
}

const changesOf = (node: Node): readonly Change[] =>
  node.domain === '' ? (BY_OP.get(node.opType) ?? []) : [];

function sortAll(graph: Graph): void {
  graph.sort();
  for (const node of graph.nodes) node.subgraphs.forEach(sortAll);
}

function raiseIrVersion(model: Model, opset: number): void {
  const needed = IR_VERSIONS.find(([version]) => opset >= version)?.[1] ?? 0;
  if (model.irVersion < 4 && needed >= 4) {
    // Initializers had to be inputs too then; now that would make them optional inputs, constant no more.
    const { inputs } = model.graph;
    inputs.splice(0, inputs.length, ...inputs.filter(input => !input.initializer));
  }
  model.irVersion = Math.max(model.irVersion, needed);
}
