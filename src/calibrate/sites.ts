import { Graph } from '../graph/graph.js';
import type { Model } from '../graph/model.js';
import type { Node } from '../graph/node.js';
import { pairedConvolution } from '../graph/rewrite/index.js';
import type { Tensor } from '../graph/tensor.js';
import type { Value } from '../graph/value.js';

/**
 * What multiplies what, as far as compression cares: `linear` (MatMul, Gemm), `conv`, `conv-transpose`,
 * `embedding` (Gather from a table) and `recurrent` (LSTM, GRU, RNN).
 */
export type SiteKind = 'linear' | 'conv' | 'conv-transpose' | 'embedding' | 'recurrent';

/** One node that uses a weight, and as which input. */
export interface SiteUse {
  readonly node: Node;
  readonly index: number;
}

/**
 * A constant weight that multiplies activations. A weight used several times is one site, so that it is
 * compressed once and stays shared.
 */
export interface Site {
  /** Holds the constant: an initializer, or the output of a `Constant` node. */
  readonly value: Value;
  readonly tensor: Tensor;
  /** Never empty; all uses are sites of the same `kind` and `layout`, or `mixed` is set. */
  readonly uses: readonly SiteUse[];
  readonly kind: SiteKind;
  readonly layout: WeightLayout;
  /**
   * Its uses differ in kind or layout (tied embeddings), or a use multiplies it by another weight (Kronecker factors): it
   * can be stored smaller, but not factorized.
   */
  readonly mixed: boolean;
  /** Lies in a subgraph or function, whose activations cannot be observed from outside. */
  readonly nested: boolean;
}

/**
 * How a weight tensor is a matrix: its axes permuted by `perm`, the first `split` axes are the rows (outputs: one
 * quantization scale each), the rest the columns (what is summed over).
 */
export interface WeightLayout {
  readonly perm: readonly number[];
  readonly split: number;
}

/** Which input of which operator is a weight, and how it is laid out. `undefined`: not a weight. */
type Rule = (node: Node, index: number, rank: number) => { kind: SiteKind; layout: WeightLayout } | undefined;

const rows = (...perm: number[]): WeightLayout => ({ perm, split: 1 });

const RULES: Readonly<Record<string, Rule>> = {
  MatMul: (node, index, rank) => {
    // A table that lays out filters for columns in pairs was not trained.
    if (rank < 2 || (index === 1 && pairedConvolution(node))) return undefined;
    // The last two axes are (in, out) on the right-hand side, (out, in) on the left-hand side; the rest is a batch.
    const perm = Array.from({ length: rank }, (_, i) => i);
    if (index === 1) perm.splice(rank - 2, 2, rank - 1, rank - 2);
    return { kind: 'linear', layout: { perm, split: rank - 1 } };
  },
  Gemm: (node, index, rank) => {
    if (index > 1 || rank !== 2) return undefined;
    const outFirst = index === 1 ? node.int('transB', 0) === 1 : node.int('transA', 0) === 0;
    return { kind: 'linear', layout: outFirst ? rows(0, 1) : rows(1, 0) };
  },
  Conv: (_node, index, rank) =>
    index === 1 && rank >= 3
      ? { kind: 'conv', layout: rows(...Array.from({ length: rank }, (_, i) => i)) }
      : undefined,
  ConvTranspose: (_node, index, rank) =>
    index === 1 && rank >= 3
      ? {
          kind: 'conv-transpose',
          layout: rows(1, 0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2)),
        }
      : undefined,
  Gather: (node, index, rank) =>
    index === 0 && rank === 2 && node.int('axis', 0) === 0
      ? { kind: 'embedding', layout: rows(0, 1) }
      : undefined,
};

/** What a pattern may call a site: its weight's name and the names of its layers. */
export const namesOf = (site: Site): string[] => [site.value.name, ...layersOf(site).map(({ name }) => name)];

/** The nodes that are a site's layers in the eyes of the model's author: of filters laid out for pairs, the convolution. */
export const layersOf = ({ uses }: Site): Node[] => [
  ...new Set(uses.map(({ node }) => pairedConvolution(node) ?? node)),
];

/** What a site's layer is, as reports name it. */
export const operatorOf = ({ uses: [use] }: Site): string =>
  pairedConvolution(use!.node) ? 'Conv, columns in pairs' : use!.node.opType;

// W and R are (directions, gates · hidden, inputs).
const recurrent: Rule = (_node, index, rank) =>
  (index === 1 || index === 2) && rank === 3
    ? { kind: 'recurrent', layout: { perm: [0, 1, 2], split: 2 } }
    : undefined;

const RULE_OF: ReadonlyMap<string, Rule> = new Map(
  Object.entries({ ...RULES, LSTM: recurrent, GRU: recurrent, RNN: recurrent }),
);

const WEIGHT_DTYPES = new Set(['float32', 'float16', 'bfloat16', 'float64']);

/** Weights smaller than this are not worth a node of their own. */
const MIN_ELEMENTS = 64;

/**
 * Finds every compressible weight of a model, in the order of the nodes: in initializers and `Constant` nodes, in
 * subgraphs and functions. Weights already stored as integers are no sites.
 */
export function findSites(model: Model): Site[] {
  const found = new Map<
    Value,
    { uses: (SiteUse & { kind: SiteKind; layout: WeightLayout })[]; nested: boolean }
  >();
  const scan = (graph: Graph, nested: boolean): void => {
    for (const node of graph.nodes) {
      const rule = node.domain === '' ? RULE_OF.get(node.opType) : undefined;
      node.inputs.forEach((value, index) => {
        const tensor = rule && Graph.constantOf(value);
        if (!rule || !value || !tensor || !WEIGHT_DTYPES.has(tensor.dtype) || tensor.size < MIN_ELEMENTS)
          return;
        // A default that a caller may override is no constant.
        if (model.graph.inputs.includes(value)) return;
        const match = rule(node, index, tensor.dims.length);
        if (!match) return;
        const entry = found.get(value) ?? { uses: [], nested: false };
        entry.uses.push({ node, index, ...match });
        entry.nested ||= nested;
        found.set(value, entry);
      });
      for (const inner of node.subgraphs) scan(inner, true);
    }
  };
  scan(model.graph, false);
  for (const definition of model.functions) scan(definition.graph, true);
  const byWeight = ({ node, index }: SiteUse): boolean => {
    const other = node.inputs[1 - index];
    return other !== undefined && other !== null && found.has(other);
  };
  return [...found].map(([value, { uses, nested }]) => {
    const first = uses[0]!;
    const same = (use: (typeof uses)[number]) =>
      use.kind === first.kind && String(use.layout.perm) === String(first.layout.perm);
    return {
      value,
      tensor: Graph.constantOf(value)!,
      uses,
      kind: first.kind,
      layout: first.layout,
      mixed:
        !uses.every(same) || value.uses.size !== new Set(uses.map(u => u.node)).size || uses.some(byWeight),
      nested,
    };
  });
}

/** In models of so many numbers, what takes no time elsewhere is shared among threads or done on less. */
export const LARGE_MODEL = 2e7;

/** Whether sites together are those of a large model. */
export const isLarge = (sites: readonly Site[]): boolean =>
  sites.reduce((sum, { tensor }) => sum + tensor.size, 0) >= LARGE_MODEL;

/** Says how many layers calibration cannot see. */
export function unseenLayers(sites: readonly Pick<Site, 'nested'>[]): string[] {
  const count = sites.filter(({ nested }) => nested).length;
  if (count === 0) return [];
  return [
    `${count} of ${sites.length} layers lie in subgraphs (If, Loop), where inputs cannot be observed: they are judged by their weights alone, and a branch that no input takes is not verified at all.`,
  ];
}
