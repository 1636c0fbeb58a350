import type { ValueType } from '../value.js';
import { tensorType } from '../value.js';
import { dtypeAttribute } from './cast.js';
import { defineOp, type InferContext, type OpDefinition } from './definition.js';
import { commonType } from './type-join.js';

const elementOf = (type: ValueType | undefined): ValueType | undefined =>
  type?.kind === 'sequence' || type?.kind === 'optional' ? type.element : undefined;

const sequenceOf = (element: ValueType | undefined): ValueType | undefined =>
  element && { kind: 'sequence', element };

function inferConstruct(context: InferContext): void {
  const types = context.node.inputs.map((_, i) => context.type(i));
  context.setType(0, sequenceOf(types.reduce(commonType)));
}

const concatFromSequence = defineOp({
  op: 'ConcatFromSequence',
  infer(context) {
    const element = elementOf(context.type(0));
    if (element?.kind !== 'tensor') return;
    const stack = context.node.int('new_axis', 0) !== 0;
    const rank = element.shape && element.shape.length + (stack ? 1 : 0);
    const axis = context.node.int('axis', 0);
    const at = axis < 0 ? axis + (rank ?? 0) : axis;
    const shape =
      element.shape &&
      (stack
        ? [...element.shape.slice(0, at), null, ...element.shape.slice(at)]
        : element.shape.map((dim, i) => (i === at ? null : dim)));
    context.set(0, element.dtype, shape);
  },
});

const splitToSequence = defineOp({
  op: 'SplitToSequence',
  infer(context) {
    const x = context.shape(0);
    const axis = context.node.int('axis', 0);
    const at = x && (axis < 0 ? axis + x.length : axis);
    const one = !context.has(1);
    const keep = !one || context.node.int('keepdims', 1) !== 0;
    const shape = keep
      ? x?.map((dim, i) => (i === at ? (one ? 1 : null) : dim))
      : x?.filter((_, i) => i !== at);
    context.setType(0, sequenceOf(tensorType(context.dtype(0), shape)));
  },
});

const sequenceMap = defineOp({
  op: 'SequenceMap',
  infer(context) {
    const body = context.node.attributes.get('body');
    if (body?.type !== 'graph') return;
    const inputs = context.node.inputs.map((_, i) => {
      const type = context.type(i);
      return { type: type?.kind === 'sequence' ? type.element : type };
    });
    context.inferGraph(body.value, inputs).forEach(({ type }, i) => {
      context.setType(i, sequenceOf(type));
    });
  },
});

export const sequences: readonly OpDefinition[] = [
  defineOp({ op: 'SequenceConstruct', infer: inferConstruct }),
  defineOp({
    op: 'SequenceEmpty',
    infer: context =>
      context.setType(0, sequenceOf(tensorType(dtypeAttribute(context, 'dtype') ?? 'float32'))),
  }),
  defineOp({ op: 'SequenceAt', infer: context => context.setType(0, elementOf(context.type(0))) }),
  defineOp({ op: 'SequenceErase', infer: context => context.setType(0, context.type(0)) }),
  defineOp({
    op: 'SequenceInsert',
    infer(context) {
      const element = elementOf(context.type(0));
      // What an empty sequence holds is known by dtype only.
      context.setType(0, sequenceOf(commonType(element, context.type(1)) ?? element));
    },
  }),
  defineOp({ op: 'SequenceLength', infer: context => context.set(0, 'int64', []) }),
  concatFromSequence,
  splitToSequence,
  sequenceMap,
  defineOp({
    op: 'Optional',
    infer(context) {
      const element = context.type(0);
      context.setType(0, element && { kind: 'optional', element });
    },
  }),
  defineOp({
    op: 'OptionalGetElement',
    infer(context) {
      const type = context.type(0);
      context.setType(0, type?.kind === 'optional' ? type.element : type);
    },
  }),
  defineOp({ op: 'OptionalHasElement', infer: context => context.set(0, 'bool', []) }),
];
