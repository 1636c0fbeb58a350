import { ceilDiv, subDims } from '../dims.js';
import { Graph } from '../graph.js';
import { sizeOf } from '../tensor.js';
import { type Dim, tensorType } from '../value.js';
import { unknownShape } from './axes.js';
import { defineOp, elementsOf, MAX_KNOWN_ELEMENTS, type OpDefinition } from './definition.js';
import { commonDType } from './elementwise.js';
import { type Vjp, withGradients } from './vjp.js';

const constantOp = defineOp({
  op: 'Constant',
  infer(context) {
    const [attribute] = context.node.attributes.values();
    const tensor = Graph.constantOf(context.node.outputs[0]);
    if (tensor) {
      context.set(0, tensor.dtype, tensor.dims);
      context.setElements(0, elementsOf(tensor)?.values);
    } else if (attribute?.type === 'string') context.set(0, 'string', []);
    else if (attribute?.type === 'strings') context.set(0, 'string', [attribute.value.length]);
    else if (attribute?.type === 'sparse') {
      context.setType(0, tensorType(attribute.value.values.dtype, attribute.value.dims));
    }
  },
});

const constantOfShape = defineOp({
  op: 'ConstantOfShape',
  infer(context) {
    const value = context.node.tensor('value');
    const dims = context.elements(0)?.values;
    const rank = context.shape(0)?.[0];
    context.set(
      0,
      value?.dtype ?? 'float32',
      dims ?? (typeof rank === 'number' ? unknownShape(rank) : undefined),
    );
    if (!dims?.every(dim => typeof dim === 'number')) return;
    const size = sizeOf(dims);
    if (size > MAX_KNOWN_ELEMENTS) return;
    const fill: Dim | undefined = value ? elementsOf(value)?.values[0] : 0;
    if (fill !== undefined) context.setElements(0, new Array<Dim>(size).fill(fill));
  },
});

const range = defineOp({
  op: 'Range',
  infer(context) {
    const [start, limit, delta] = [0, 1, 2].map(i => context.elements(i)?.values[0] ?? null) as [
      Dim,
      Dim,
      Dim,
    ];
    let length: Dim = null;
    if (typeof start === 'number' && typeof limit === 'number' && typeof delta === 'number') {
      length = Math.max(0, Math.ceil((limit - start) / delta));
    } else if (typeof delta === 'number' && delta > 0) length = ceilDiv(subDims(limit, start), delta);
    context.set(0, commonDType(context, [0, 1, 2]), [length]);
    if (typeof length === 'number' && length <= MAX_KNOWN_ELEMENTS && typeof start === 'number') {
      context.setElements(
        0,
        Array.from({ length }, (_, i) => start + i * (delta as number)),
      );
    }
  },
});

/** start + i·delta; the limit decides how many there are. */
const rangeGradient: Vjp = ({ build: b, gradient: g, input, output }) => {
  const [start, delta] = [input(0), input(2)];
  const all = (x: typeof g): typeof g => b.reshapeLike(b.op('ReduceSum', [x], { keepdims: 0 }), start);
  return [all(g), null, all(b.mul(g, b.div(b.sub(output(0), start), delta)))];
};

export const constants: readonly OpDefinition[] = withGradients([constantOp, constantOfShape, range], {
  Range: rangeGradient,
});
