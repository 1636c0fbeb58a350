import { dtypeFromCode, isFloat } from '../dtype.js';
import { defineOp, type InferContext, type OpDefinition } from './definition.js';
import { castGradients } from './shape-gradient.js';
import { withGradients } from './vjp.js';

/** The dtype that a code in an attribute stands for. */
export function dtypeAttribute(context: InferContext, name: string): ReturnType<typeof dtypeFromCode> {
  const code = context.node.int(name);
  return code === undefined ? undefined : dtypeFromCode(code);
}

function castTo(context: InferContext, dtype: ReturnType<typeof dtypeFromCode>): void {
  context.set(0, dtype, context.shape(0));
  const elements = context.elements(0)?.values;
  if (!elements) return;
  context.setElements(
    0,
    elements.map(value => {
      if (typeof value !== 'number') return dtype === 'bool' ? null : value;
      if (dtype === 'bool') return Number(value !== 0);
      return isFloat(dtype) ? value : Math.trunc(value);
    }),
  );
}

export const casting: readonly OpDefinition[] = withGradients(
  [
    defineOp({ op: 'Cast', infer: context => castTo(context, dtypeAttribute(context, 'to')) }),
    defineOp({ op: 'CastLike', infer: context => castTo(context, context.dtype(1)) }),
    defineOp({
      op: 'BitCast',
      infer: context => context.set(0, dtypeAttribute(context, 'to'), context.shape(0)),
    }),
  ],
  castGradients,
);
