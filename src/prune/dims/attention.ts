import type { Axis } from '../labels.js';
import { type DimRule, type PassContext, Refusal } from './definition.js';

const SCALED = 'the scale of attention is made of its size';

/** Attention of query, key and value axes (heads · size): heads may go, and places in the value's heads. */
function heads(
  c: PassContext,
  [q, k, v]: readonly [Axis, Axis, Axis],
  width: number,
  valueWidth: number,
): Axis {
  const count = c.node.int('num_heads', 1);
  const [group, place] = c.split(c.join(q, k), [count, width / count]);
  if (c.node.float('scale') === undefined) c.fix(place, SCALED);
  const [valueGroup, valuePlace] = c.split(v, [count, valueWidth / count]);
  return c.product([c.join(group!, valueGroup!), valuePlace!], [count, valueWidth / count]);
}

/** Query, key and value (batch, sequence, heads · size), each on its own. */
const multiHead: DimRule = {
  ops: ['MultiHeadAttention'],
  domain: 'com.microsoft',
  pass(c) {
    if (!c.has(1) || !c.has(2) || c.axes(1).length !== 3 || c.axes(2).length !== 3)
      throw new Refusal('it is packed');
    if ([5, 6, 7].some(input => c.has(input)) || c.node.outputs.slice(1).some(Boolean)) {
      throw new Refusal('it has a bias of scores or a cache');
    }
    const [width, valueWidth] = [c.shape(0)[2], c.shape(2)[2]];
    if (typeof width !== 'number' || typeof valueWidth !== 'number')
      throw new Refusal('its heads are not fixed');
    const own = [0, 1, 2].map(input => c.axes(input)[2]!) as [Axis, Axis, Axis];
    const out = heads(c, own, width, valueWidth);
    if (c.has(3)) c.join(c.concat(own, [width, width, valueWidth]), c.axes(3)[0]!);
    c.out(0, [c.axes(0)[0]!, c.axes(0)[1]!, out]);
  },
  shrink(c) {
    // The query's heads are whole, while the value's may have lost places.
    const before = c.shape(0)[2] as number;
    c.node.setAttribute('num_heads', (c.node.int('num_heads', 1) * c.left(0, 2)) / before);
  },
};

/** Weight (inputs, query | key | value) in the operator. */
const packed: DimRule = {
  ops: ['Attention'],
  domain: 'com.microsoft',
  pass(c) {
    if (c.node.inputs.slice(4).some(Boolean) || c.node.outputs.slice(1).some(Boolean)) {
      throw new Refusal('it has a bias of scores or a cache');
    }
    if (c.node.ints('qkv_hidden_sizes')) throw new Refusal('query, key and value differ in size');
    const x = c.axes(0);
    const [inputs, columns] = c.axes(1);
    const width = (c.shape(1)[1] as number) / 3;
    c.join(x[2]!, inputs!);
    c.contract(0, 2);
    if (typeof columns === 'string') return c.out(0, [x[0]!, x[1]!, columns]);
    const [q, k, v] = [0, 1, 2].map(i => columns!.subarray(i * width, (i + 1) * width)) as [Axis, Axis, Axis];
    const out = heads(c, [q, k, v], width, width);
    // One width for all three: what leaves the values leaves the others.
    c.join(q, v);
    if (c.has(2)) c.join(columns!, c.axes(2)[0]!);
    c.out(0, [x[0]!, x[1]!, out]);
  },
  shrink(c) {
    const before = c.shape(1)[1] as number;
    c.node.setAttribute('num_heads', (c.node.int('num_heads', 1) * c.left(1, 1)) / before);
  },
};

/** ONNX's own, on (batch, heads, sequence, size). */
const standard: DimRule = {
  ops: ['Attention'],
  pass(c) {
    if ([4, 5].some(input => c.has(input)) || c.node.outputs.slice(1).some(Boolean))
      throw new Refusal('it has a cache');
    const [q, k, v] = [0, 1, 2].map(input => c.axes(input));
    if ([q, k, v].some(axes => axes!.length !== 4)) throw new Refusal('its heads are packed');
    if (c.shape(0)[1] !== c.shape(1)[1]) throw new Refusal('query and key differ in heads');
    const group = c.join(c.join(q![1]!, k![1]!), v![1]!);
    const place = c.join(q![3]!, k![3]!);
    if (c.node.float('scale') === undefined) c.fix(place, SCALED);
    c.contract(0, 3);
    c.fix([q![2]!, k![2]!, v![2]!], 'attention is paid to it');
    if (c.has(3)) c.fix(c.axes(3), 'it masks attention');
    c.fix(
      c.has(3) && c.shape(3).length > 3 && c.shape(3)[1] !== 1 ? group : undefined,
      'a mask has heads of its own',
    );
    c.out(0, [q![0]!, group, q![2]!, v![3]!]);
  },
};

export const ATTENTION = [multiHead, packed, standard];
