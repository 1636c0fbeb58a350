import type { Axis } from '../labels.js';
import { type DimRule, type PassContext, Refusal } from './definition.js';

const batch: DimRule = {
  ops: ['BatchNormalization'],
  pass(c) {
    if (c.node.outputs.slice(1).some(Boolean)) throw new Refusal('it is in training mode');
    const x = c.axes(0);
    let channels = x[1]!;
    for (let input = 1; input < 5; input++) channels = c.join(channels, c.axes(input)[0]!);
    c.out(0, [x[0]!, channels, ...x.slice(2)]);
  },
};

const STATISTICS = 'statistics are taken over it';

const instance: DimRule = {
  ops: ['InstanceNormalization'],
  pass(c) {
    const x = c.axes(0);
    const channels = [1, 2].reduce((axis, input) => c.join(axis, c.axes(input)[0]!), x[1]!);
    c.fix(x.slice(2), STATISTICS);
    c.out(0, [x[0]!, channels, ...x.slice(2).map(() => STATISTICS)]);
  },
};

/** Whole groups may go; within a group the statistics would change. */
const group: DimRule = {
  ops: ['GroupNormalization'],
  pass(c) {
    const x = c.axes(0);
    const channels = c.shape(0)[1];
    const count = c.node.int('num_groups', 1);
    if (typeof channels !== 'number') throw new Refusal('its channels are not fixed');
    const [groups, within] = c.split(x[1]!, [count, channels / count]);
    c.fix(within, STATISTICS);
    for (const input of [1, 2]) {
      c.join(c.shape(input)[0] === channels ? x[1]! : groups!, c.axes(input)[0]!);
    }
    c.fix(x.slice(2), STATISTICS);
    c.out(0, [x[0]!, x[1]!, ...x.slice(2).map(() => STATISTICS)]);
  },
  shrink(c) {
    const channels = c.shape(0)[1] as number;
    c.node.setAttribute('num_groups', (c.node.int('num_groups', 1) * c.left(0, 1)) / channels);
  },
};

/** Scale and bias lie along the last axes. */
function overLastAxes(c: PassContext, first: number, parameters: readonly number[]): Axis[] {
  const x = [...c.axes(0)];
  for (const input of parameters) {
    if (!c.has(input)) continue;
    const own = c.axes(input);
    own.forEach((axis, i) => {
      const at = x.length - own.length + i;
      if (c.shape(input)[i] !== 1) x[at] = c.join(x[at]!, axis);
    });
  }
  for (const axis of x.slice(first)) c.approximate(axis, STATISTICS);
  return x;
}

const layer: DimRule = {
  ops: ['LayerNormalization', 'RMSNormalization', 'SimplifiedLayerNormalization'],
  pass(c) {
    const rank = c.axes(0).length;
    const axis = c.node.int('axis', -1);
    c.out(0, overLastAxes(c, axis < 0 ? axis + rank : axis, [1, 2]));
  },
};

/** x + skip (+ bias), normalized: ONNX Runtime's fused form. */
const skipLayer: DimRule = {
  ops: ['SkipLayerNormalization', 'SkipSimplifiedLayerNormalization'],
  domain: 'com.microsoft',
  pass(c) {
    const skip = c.axes(1);
    if (skip.length !== c.axes(0).length) throw new Refusal('it broadcasts');
    const x = overLastAxes(c, skip.length - 1, [2, 3, 4]).map((axis, i) => c.join(axis, skip[i]!));
    c.out(0, x);
    c.out(3, x);
  },
};

const norm: DimRule = {
  ops: ['LpNormalization'],
  pass(c) {
    const axis = c.node.int('axis', -1);
    c.contract(0, axis < 0 ? axis + c.axes(0).length : axis);
    c.out(0, c.axes(0));
  },
};

export const NORMALIZATION = [
  batch,
  instance,
  group,
  layer,
  { ...layer, ops: ['SimplifiedLayerNormalization', 'LayerNormalization'], domain: 'com.microsoft' },
  skipLayer,
  norm,
];
