import { type DimRule, Refusal } from './definition.js';
import { setEntries } from './shapes.js';

const SLIDES = 'a window slides over it';

const pool: DimRule = {
  ops: ['MaxPool', 'AveragePool', 'LpPool', 'GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'],
  pass(c) {
    const x = c.axes(0);
    if (c.node.outputs[1]) throw new Refusal('its indices count all channels');
    c.fix(x.slice(2), SLIDES);
    c.out(0, [...x.slice(0, 2), ...x.slice(2).map(() => SLIDES)]);
  },
};

const resize: DimRule = {
  ops: ['Resize', 'Upsample'],
  pass(c) {
    const x = c.axes(0);
    if (c.node.string('coordinate_transformation_mode', '') === 'tf_crop_and_resize')
      throw new Refusal('it crops');
    if (c.node.ints('axes')) throw new Refusal('it names the axes that it resizes');
    const from = c.shape(0);
    const to = c.outputShape(0);
    const scales = c.numbers(c.opset < 11 ? 1 : 2) ?? c.node.floats('scales');
    const out = x.map((axis, i) => {
      const same = scales?.length === x.length ? scales[i] === 1 : from[i] !== null && from[i] === to[i];
      if (same && i < 2) return axis;
      c.fix(axis, SLIDES);
      return SLIDES;
    });
    c.out(0, out);
  },
  shrink(c) {
    const sizes = new Map<number, number>();
    for (const axis of [0, 1]) {
      const kept = c.kept(0, axis);
      if (kept) sizes.set(axis, kept.length);
    }
    if (c.node.inputs[3]) setEntries(c, 3, sizes);
  },
};

export const SPATIAL = [pool, resize];
