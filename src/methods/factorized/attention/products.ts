import type { AttentionLayer, LinearLayer, Network } from '../../../nn/index.js';

/** An attention whose projections are linear layers, all of them still there. */
export interface AttentionProducts {
  readonly attention: AttentionLayer;
  /** Of query, key and value: three layers, or one that gives them side by side. */
  readonly projections: readonly LinearLayer[];
  readonly output: LinearLayer;
}

/** The attentions of a network whose projections nothing has replaced. */
export function attentionsOf(network: Network): AttentionProducts[] {
  const linear = (path: string): LinearLayer | undefined => {
    const layer = network.layers.get(path);
    return layer?.kind === 'linear' ? layer : undefined;
  };
  return [...network.layers.values()].flatMap(attention => {
    if (attention.kind !== 'attention') return [];
    const { projections: names } = attention;
    const projections = ('fused' in names ? [names.fused] : [names.query, names.key, names.value]).map(
      linear,
    );
    const output = linear(attention.outputProjection);
    if (!output || projections.includes(undefined)) return [];
    return [{ attention, projections: projections as LinearLayer[], output }];
  });
}
