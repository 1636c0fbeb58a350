import { WhittleError } from '../../graph/errors.js';
import type { Node } from '../../graph/node.js';
import type { Value } from '../../graph/value.js';
import { matrix, randomizedSvd } from '../../linalg/index.js';
import { type Initializer, normal } from '../../nn/initializers.js';
import type { EmbeddingLayer } from '../../nn/layer.js';
import type { Network } from '../../nn/network.js';
import { Scope } from '../../nn/scope.js';
import { choice, integer } from '../../train/config/settings.js';
import { defineMethod } from '../entry.js';
import { meanSquare, removeParameter } from './substitute.js';

export interface FactorizedEmbeddingOptions {
  /** Width of the table, E. */
  readonly features: number;
  /** Random, or the product nearest to the present table. Default `variance`. */
  readonly start?: 'variance' | 'dense';
}

/**
 * The vocabulary's table V × H as a table V × E and a projection E × H. A head that scores by the same table (BERT's,
 * GPT-2's) multiplies by the projection first. Neither makes the large table.
 * @throws WhittleError where that is not smaller, the network has no embedding, or something else uses the table
 */
export function factorizeEmbedding(network: Network, options: FactorizedEmbeddingOptions): void {
  const layer = largestEmbedding(network);
  const { count, features: width, weight } = layer;
  const { features } = options;
  if (features * (count + width) >= count * width) {
    throw new WhittleError(`a ${count} × ${width} embedding by way of ${features} features is no smaller`, {
      value: weight.name,
      hint: `Take fewer than ${Math.floor((count * width) / (count + width))} features`,
    });
  }
  const uses = [...weight.value.consumers];
  const odd = uses.find(node => !(looksUp(node, weight.value) || scores(node, weight.value)));
  if (odd) {
    throw new WhittleError(`${odd.opType} uses the embedding's table as it is`, {
      node: odd.label,
      value: weight.name,
    });
  }
  const [tableInit, projectionInit] = initializersOf(network, layer, options);
  const scope = new Scope(network, layer.path);
  const table = scope.parameter('table', [count, features], {
    kind: 'embedding',
    initializer: tableInit,
  });
  const projection = scope.parameter('projection', [features, width], {
    kind: 'weight',
    initializer: projectionInit,
  });
  for (const node of uses) {
    if (looksUp(node, weight.value)) {
      const rows = scope.op('Gather', [table, node.inputs[1]!], { axis: 0 });
      const output = scope.op('MatMul', [rows, projection]);
      network.graph.replaceUses(node.output, output);
      forwardInputs(network, node.output, output);
      network.graph.remove(node);
    } else {
      node.setInput(0, scope.op('Gemm', [node.inputs[0]!, projection], { transB: 1 }));
      node.setInput(1, table);
    }
  }
  network.layers.delete(layer.path);
  removeParameter(network, weight);
}

function largestEmbedding(network: Network): EmbeddingLayer {
  const embeddings = [...network.layers.values()].filter(layer => layer.kind === 'embedding');
  const [largest] = embeddings.sort((a, b) => b.count - a.count);
  if (largest) return largest;
  throw new WhittleError('the network has no embedding', {
    hint: 'Leave factorized-embedding out: it is for networks that look up words',
  });
}

const looksUp = (node: Node, table: Value): boolean =>
  node.opType === 'Gather' && node.inputs[0] === table && node.int('axis', 0) === 0;

const scores = (node: Node, table: Value): boolean =>
  node.opType === 'Gemm' &&
  node.inputs[0] !== table &&
  node.inputs[1] === table &&
  node.inputs[2] !== table &&
  node.int('transB', 0) === 1;

/** Layers remember what they read. */
function forwardInputs(network: Network, old: Value, output: Value): void {
  for (const [path, layer] of network.layers) {
    if (layer.kind !== 'attention' && layer.input === old)
      network.layers.set(path, { ...layer, input: output });
  }
}

function initializersOf(
  network: Network,
  { weight, count, features: width }: EmbeddingLayer,
  { features, start = 'variance' }: FactorizedEmbeddingOptions,
): [Initializer, Initializer] {
  if (start === 'variance') {
    return [normal(Math.sqrt(meanSquare(network, weight.name))), normal(Math.sqrt(1 / features))];
  }
  const { u, s, v } = randomizedSvd(matrix(network.tensor(weight.name).toFloat32(), count, width), features);
  const table = Float32Array.from(u.data, (x, i) => x * Math.sqrt(s[i % features]!));
  const projection = new Float32Array(features * width);
  for (let k = 0; k < features; k++) {
    for (let j = 0; j < width; j++) projection[k * width + j] = Math.sqrt(s[k]!) * v.data[j * features + k]!;
  }
  return [() => table.slice(), () => projection.slice()];
}

export const factorizedEmbeddingMethod = defineMethod({
  name: 'factorized-embedding',
  family: 'sharing',
  summary: 'A narrow table of word vectors and a projection to the width of the network.',
  paper: {
    title: 'ALBERT: A Lite BERT for Self-supervised Learning of Language Representations',
    authors: 'Lan, Chen, Goodman, Gimpel, Sharma, Soricut',
    year: 2020,
    url: 'https://arxiv.org/abs/1909.11942',
  },
  settings: {
    features: integer(128, { min: 1, description: 'width of the table' }),
    start: choice('variance', ['variance', 'dense'], 'random, or nearest to the present table'),
  },
  create: values => ({
    name: 'factorized-embedding',
    layerClaim: { of: network => [largestEmbedding(network).path], accepts: ['dense'], gives: 'factors' },
    prepare: network => factorizeEmbedding(network, values),
  }),
});
