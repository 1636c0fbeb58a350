import { type DimRule, Refusal, type ShrinkContext } from './definition.js';

/**
 * A grouped convolution has labels (group, place in the group): whole groups may go, or the same place in each. In a
 * depthwise one every channel is a group.
 */
const conv: DimRule = {
  ops: ['Conv'],
  pass(c) {
    const x = c.axes(0);
    const w = c.axes(1);
    const [outputs, inputs] = c.shape(1);
    if (typeof outputs !== 'number' || typeof inputs !== 'number')
      throw new Refusal('the size of its weight is not fixed');
    const count = c.node.int('group', 1);
    const [groups, within] = c.split(x[1]!, [count, inputs]);
    const [outputGroups] = c.split(w[0]!, [count, outputs / count]);
    c.join(groups!, outputGroups!);
    c.join(within!, w[1]!);
    c.fix([...x.slice(2), ...w.slice(2)], SLIDES);
    c.contract(0, 1);
    if (c.has(2)) c.join(w[0]!, c.axes(2)[0]!);
    c.out(0, [x[0]!, w[0]!, ...x.slice(2).map(() => SLIDES)]);
  },
  shrink: shrinkGroups,
};

/** Weight (inputs, outputs / groups, …). */
const convTranspose: DimRule = {
  ops: ['ConvTranspose'],
  pass(c) {
    const x = c.axes(0);
    const w = c.axes(1);
    const [inputs, outputs] = c.shape(1);
    if (typeof outputs !== 'number' || typeof inputs !== 'number')
      throw new Refusal('the size of its weight is not fixed');
    const count = c.node.int('group', 1);
    const channels = c.join(x[1]!, w[0]!);
    const [groups] = c.split(channels, [count, inputs / count]);
    c.fix([...x.slice(2), ...w.slice(2)], SLIDES);
    c.contract(0, 1);
    const out = c.product([groups!, w[1]!], [count, outputs]);
    c.out(0, [x[0]!, c.has(2) ? c.join(out, c.axes(2)[0]!) : out, ...x.slice(2).map(() => SLIDES)]);
  },
  shrink: shrinkGroups,
};

const SLIDES = 'a convolution slides over it';

/** The group axis itself is in no tensor: what it keeps is channels over channels of a group. */
function shrinkGroups(c: ShrinkContext): void {
  if (c.node.int('group', 1) === 1) return;
  const channels = c.node.opType === 'Conv' ? c.left(0, 1) : c.leftOutput(0, 1);
  c.node.setAttribute('group', channels / c.left(1, 1));
}

export const CONV = [conv, convTranspose];
