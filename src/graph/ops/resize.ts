import { mulDims } from '../dims.js';
import { sizeOf } from '../tensor.js';
import type { Dim } from '../value.js';
import { normalizeAxis, unknownShape } from './axes.js';
import { defineOp, flops, type InferContext, type OpDefinition } from './definition.js';
import { perElement } from './elementwise.js';
import { resizingGradients } from './resize-gradient.js';
import { withGradients } from './vjp.js';

/** floor(size · scale), as the operator says; symbolic only for whole scales. */
function scaled(dim: Dim, scale: Dim): Dim {
  if (typeof scale !== 'number') return null;
  return typeof dim === 'number' ? Math.floor(Math.fround(dim * scale)) : mulDims(dim, scale);
}

const resize = defineOp({
  op: 'Resize',
  infer(context) {
    const x = context.shape(0);
    // Opset 10 had (X, scales); since 11 (X, roi, scales, sizes), an empty tensor standing for "not given".
    const legacy = context.opset < 11;
    const given = (input: number): readonly Dim[] | undefined => {
      const values = context.has(input) ? context.elements(input)?.values : undefined;
      return values && values.length > 0 ? values : undefined;
    };
    const scales = given(legacy ? 1 : 2);
    const sizes = legacy ? undefined : given(3);
    if (!x || (!scales && !sizes)) {
      context.set(0, context.dtype(0), x && unknownShape(x.length));
      return;
    }
    const axes = (context.node.ints('axes') ?? [...x.keys()]).map(a => normalizeAxis(context, a, x.length));
    const policy = context.node.string('keep_aspect_ratio_policy', 'stretch');
    const shape: Dim[] = [...x];
    if (sizes && policy !== 'stretch') {
      const ratios = axes.map((axis, i) => ratio(sizes[i] ?? null, x[axis]!));
      const scale = ratios.every(r => r !== null)
        ? (policy === 'not_larger' ? Math.min : Math.max)(...ratios)
        : null;
      for (const axis of axes) shape[axis] = rounded(x[axis]!, scale);
    } else {
      axes.forEach((axis, i) => {
        shape[axis] = sizes ? (sizes[i] ?? null) : scaled(x[axis]!, scales![i] ?? null);
      });
    }
    context.set(0, context.dtype(0), shape);
  },
  cost(context) {
    const taps = { nearest: 0, linear: 4, cubic: 16 }[context.node.string('mode', 'nearest')] ?? 0;
    return flops(2 * taps * sizeOf(context.outputShape(0)));
  },
});

const ratio = (size: Dim, dim: Dim): number | null =>
  typeof size === 'number' && typeof dim === 'number' ? size / dim : null;

const rounded = (dim: Dim, scale: number | null): Dim =>
  typeof dim === 'number' && scale !== null ? Math.floor(dim * scale + 0.5) : null;

const upsample = defineOp({
  op: 'Upsample',
  infer(context) {
    const x = context.shape(0);
    const scales = context.has(1) ? context.elements(1)?.values : context.node.floats('scales');
    context.set(
      0,
      context.dtype(0),
      x?.map((dim, i) => scaled(dim, scales?.[i] ?? null)),
    );
  },
});

const gridSample = defineOp({
  op: 'GridSample',
  infer(context) {
    const x = context.shape(0);
    const grid = context.shape(1); // (N, …spatial, rank)
    context.set(0, context.dtype(0), x && grid && [x[0]!, x[1]!, ...grid.slice(1, -1)]);
  },
  cost: perElement(8),
});

const affineGrid = defineOp({
  op: 'AffineGrid',
  infer(context: InferContext) {
    const size = context.elements(1)?.values; // (N, C, …spatial)
    context.set(0, context.dtype(0), size && [size[0]!, ...size.slice(2), size.length - 2]);
  },
});

export const resizing: readonly OpDefinition[] = withGradients(
  [resize, upsample, gridSample, affineGrid],
  resizingGradients,
);
