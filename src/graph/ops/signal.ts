import { addDims, floorDiv, subDims } from '../dims.js';
import type { Dim } from '../value.js';
import { normalizeAxis, withDim } from './axes.js';
import { dtypeAttribute } from './cast.js';
import { defineOp, defineOps, type InferContext, type OpDefinition } from './definition.js';

const scalar = (context: InferContext, input: number): Dim =>
  (context.has(input) ? context.elements(input)?.values[0] : null) ?? null;

/** Frequencies of a real signal of that length. */
const oneSided = (length: Dim): Dim => addDims(floorDiv(length, 2), 1);

const dft = defineOp({
  op: 'DFT',
  infer(context) {
    const x = context.shape(0);
    // The axis was an attribute before opset 20.
    const axis = context.opset < 20 ? context.node.int('axis', 1) : context.has(2) ? scalar(context, 2) : -2;
    if (!x || typeof axis !== 'number') {
      context.set(0, context.dtype(0));
      return;
    }
    const at = normalizeAxis(context, axis, x.length);
    const length = context.has(1) ? scalar(context, 1) : x[at]!;
    const half = context.node.int('onesided', 0) !== 0;
    const inverse = context.node.int('inverse', 0) !== 0;
    const shape = withDim(x, at, half && !inverse ? oneSided(length) : length);
    // Real and imaginary part; the inverse of one side is real.
    context.set(0, context.dtype(0), withDim(shape, x.length - 1, half && inverse ? 1 : 2));
  },
});

const stft = defineOp({
  op: 'STFT',
  infer(context) {
    const signal = context.shape(0); // (batch, samples, 1 or 2)
    const step = scalar(context, 1);
    const window = context.has(2) ? (context.shape(2)?.[0] ?? null) : null;
    const length = context.has(3) ? scalar(context, 3) : window;
    const frames = addDims(floorDiv(subDims(signal?.[1] ?? null, length), step), 1);
    const bins = context.node.int('onesided', 1) !== 0 ? oneSided(length) : length;
    context.set(0, context.dtype(0), [signal?.[0] ?? null, frames, bins, 2]);
  },
});

export const signal: readonly OpDefinition[] = [
  dft,
  stft,
  ...defineOps('HannWindow HammingWindow BlackmanWindow', {
    infer: context =>
      context.set(0, dtypeAttribute(context, 'output_datatype') ?? 'float32', [scalar(context, 0)]),
  }),
  defineOp({
    op: 'MelWeightMatrix',
    infer: context =>
      context.set(0, dtypeAttribute(context, 'output_datatype') ?? 'float32', [
        oneSided(scalar(context, 1)),
        scalar(context, 0),
      ]),
  }),
];
