import { sameDim } from '../dims.js';
import { tensorType, type ValueType } from '../value.js';

/** The most that holds for a value that is one or the other; `undefined` stands for a type that is not known. */
export function commonType(a: ValueType | undefined, b: ValueType | undefined): ValueType | undefined {
  if (!a || !b) return undefined;
  if (a.kind === 'tensor' && b.kind === 'tensor') {
    const dtype = a.dtype === b.dtype ? a.dtype : undefined;
    if (!a.shape || !b.shape || a.shape.length !== b.shape.length) return tensorType(dtype);
    const other = b.shape;
    return tensorType(
      dtype,
      a.shape.map((dim, i) => (sameDim(dim, other[i]!) ? dim : null)),
    );
  }
  if ((a.kind === 'sequence' || a.kind === 'optional') && a.kind === b.kind) {
    const element = commonType(a.element, b.element);
    return element && { kind: a.kind, element };
  }
  return undefined;
}
