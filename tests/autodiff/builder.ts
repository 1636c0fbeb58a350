import { Builder, type Model } from '../../src/graph/index.js';
import { NodeContext } from '../../src/graph/infer/context.js';
import { elementsOf, OPS } from '../../src/graph/ops/index.js';
import { Tensor } from '../../src/graph/tensor.js';

/** A builder that infers types as it goes, from constants and input shapes. */
export function testBuilder(model: Model): Builder {
  return new Builder(model.graph, {
    opset: model.opset,
    infer(node) {
      const context = new NodeContext(node, model.opsets.get(node.domain) ?? 1, {
        typeOf: value => value.type,
        elementsOf: value =>
          value.initializer instanceof Tensor ? elementsOf(value.initializer) : undefined,
        inferGraph: (_, inputs) => [...inputs],
      });
      OPS.of(node)?.infer?.(context);
      node.outputs.forEach((output, i) => {
        const type = context.found[i]?.type;
        if (output && type) output.type = type;
      });
    },
  });
}
