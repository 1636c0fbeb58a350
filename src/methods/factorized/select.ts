import type { Value } from '../../graph/value.js';
import type { Network } from '../../nn/index.js';
import type { DenseLayer } from './low-rank.js';

/** Which layers: by path, or by a test. */
export type LayerSelector = RegExp | ((layer: DenseLayer) => boolean);

/**
 * The layers to factorize, in the network's order. By default all linear layers and ungrouped convolutions but those at
 * the two ends: a convolution that sees the input itself, and a linear layer that gives an output (the classifier).
 */
export function selectLayers(network: Network, selector?: LayerSelector): DenseLayer[] {
  const layers = [...network.layers.values()].filter(
    (layer): layer is DenseLayer => layer.kind === 'linear' || layer.kind === 'conv',
  );
  if (selector instanceof RegExp) return layers.filter(({ path }) => selector.test(path));
  if (selector) return layers.filter(selector);
  const outputs = new Set(
    [...network.layers.values()].flatMap(layer => ('output' in layer ? [layer.output] : [])),
  );
  return layers.filter(layer => {
    if (layer.weight.value.consumers.length > 1) return false; // shared weights would become more, not fewer
    if (layer.kind === 'linear') return !givesOutput(network, layer.output);
    return layer.groups === 1 && !seesInput(layer.input, outputs);
  });
}

/** What may stand between a classifier and the output without making it another layer. */
const TRANSPARENT = new Set([
  'Identity',
  'Softmax',
  'LogSoftmax',
  'Sigmoid',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Split',
  'Cast',
  'Add',
]);

/** Whether a value becomes an output with nothing but a bias, a softmax or another form of the tensor in between. */
export function givesOutput(network: Network, value: Value): boolean {
  if (network.graph.isOutput(value)) return true;
  const { consumers } = value;
  return (
    consumers.length > 0 &&
    consumers.every(
      node =>
        TRANSPARENT.has(node.opType) &&
        // A sum with a constant is a bias; with anything else it is a residual connection.
        (node.opType !== 'Add' ||
          node.inputs.some(input => input !== value && input?.initializer !== undefined)) &&
        node.outputs.every(output => !output || givesOutput(network, output)),
    )
  );
}

/** Whether a value is computed without any layer before it. */
export function seesInput(value: Value, outputs: ReadonlySet<Value>, seen: Set<Value> = new Set()): boolean {
  if (outputs.has(value)) return false;
  if (seen.has(value) || !value.producer) return true;
  seen.add(value);
  return value.producer.inputs.every(input => !input || seesInput(input, outputs, seen));
}
