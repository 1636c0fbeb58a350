import { stopGradient } from '../../graph/autodiff/index.js';
import { cloneGraph } from '../../graph/clone.js';
import { WhittleError } from '../../graph/errors.js';
import { allValues } from '../../graph/rewrite/index.js';
import type { Value } from '../../graph/value.js';
import { initialTensor, type Network } from '../../nn/index.js';
import { CLAIMS } from '../../train/claims.js';
import { integer, number, text } from '../../train/config/settings.js';
import { klDivergence } from '../../train/losses.js';
import type { TrainingMethod } from '../../train/method.js';
import { defineMethod } from '../entry.js';

export interface MutualOptions {
  /** Networks that learn together, the one that is kept among them; default 2. */
  readonly peers?: number;
  /** Of all softmaxes; default 1, as in the paper. */
  readonly temperature?: number;
  /** The output with the scores; default `logits`. */
  readonly logits?: string;
}

/**
 * Deep mutual learning: peers of one architecture and different initial weights learn in one graph, each from the labels
 * and from the others, by the objective's loss + 1/(K − 1)·Σ KL(other ‖ self). One update moves all of them, where the paper
 * has them take turns. The first is evaluated and exported; checkpoints hold all, the others under `peer1/` and so on.
 * Zhang, Xiang, Hospedales & Lu, 2018, https://arxiv.org/abs/1706.00384.
 */
export function mutualLearning(options: MutualOptions = {}): TrainingMethod {
  const { peers = 2, temperature = 1, logits = 'logits' } = options;
  if (!(Number.isInteger(peers) && peers >= 2)) {
    throw new WhittleError(`at least two networks learn from one another, not ${peers}`);
  }
  const others = Array.from({ length: peers - 1 }, (_, k) => `peer${k + 1}`);
  return {
    name: 'mutual',
    claims: [CLAIMS.teacher],
    prepare: network => addPeers(network, others),
    loss(context, loss, objective) {
      const { b, graph, network } = context;
      const values = new Map([...allValues(graph)].map(value => [value.name, value]));
      const seen = others.map(peer =>
        context.withOutputs(
          new Map(network.outputs.map(({ name }) => [name, values.get(`${peer}/${name}`)!])),
        ),
      );
      const scores = [context, ...seen].map(peer => peer.scores(logits));
      const lessons = scores.map((self, k) => {
        const taught = scores
          .filter(other => other !== self)
          .map(other => klDivergence(b, self, stopGradient(graph, other), { temperature }));
        const lesson = b.mul(b.total(taught), 1 / taught.length);
        if (k === 0) context.metric('mutual', lesson);
        return lesson;
      });
      return b.total([loss, ...seen.map(peer => objective.build(peer).loss), ...lessons]);
    },
  };
}

/** Puts copies of a network beside it, with initial weights of their own. */
function addPeers(network: Network, peers: readonly string[]): void {
  const { graph } = network;
  const parameters = [...network.parameters.values()];
  const updates = [...network.updates];
  const copies = peers.map(peer => {
    const values = new Map<Value, Value>();
    return { peer, values, copy: cloneGraph(graph, values) };
  });
  for (const { peer, values, copy } of copies) {
    const mapped = (value: Value): Value => values.get(value)!;
    const inputs = new Map(graph.inputs.map(input => [mapped(input), input]));
    const outputs = new Map(copy.outputs.map((value, i) => [value, graph.outputs[i]!.name]));
    for (const value of [...allValues(copy)]) {
      value.name = graph.freshName(`${peer}/${outputs.get(value) ?? value.name}`);
      value.declared = false;
    }
    for (const node of [...copy.allNodes()]) {
      if (node.name) node.name = `${peer}/${node.name}`;
      node.inputs.forEach((input, i) => {
        if (input && inputs.has(input)) node.setInput(i, inputs.get(input)!);
      });
    }
    for (const value of copy.initializers) graph.adopt(value);
    for (const node of [...copy.nodes]) graph.insert(node);
    for (const parameter of parameters) {
      const name = `${peer}/${parameter.name}`;
      const value = mapped(parameter.value);
      value.initializer = initialTensor(name, parameter, parameter.initializer, network.seed);
      network.parameters.set(name, { ...parameter, name, value });
    }
    for (const [name, next] of updates) network.updates.set(`${peer}/${name}`, mapped(next));
  }
  network.reserveNodeNames();
}

export const MUTUAL = defineMethod({
  name: 'mutual',
  family: 'distillation',
  claims: [CLAIMS.teacher],
  summary: 'Peers of one architecture learn from the labels and from one another.',
  paper: {
    title: 'Deep Mutual Learning',
    authors: 'Zhang, Xiang, Hospedales, Lu',
    year: 2018,
    url: 'https://arxiv.org/abs/1706.00384',
  },
  settings: {
    peers: integer(2, { min: 2, max: 8, description: 'networks that learn together' }),
    temperature: number(1, { min: 0.01, description: 'of all softmaxes' }),
    logits: text('logits', 'the output with the scores'),
  },
  create: mutualLearning,
});
