import type { Model } from '../graph/model.js';
import type { SparseTensor } from '../graph/sparse.js';
import type { Tensor } from '../graph/tensor.js';
import type { Value, ValueType } from '../graph/value.js';
import type { Message, MessageName } from './schema.js';
import type { ByteSource } from './source.js';

/**
 * What a message said beyond what the graph models: documentation, metadata, device placement, fields unknown
 * to us. It rides on the `extra` of the graph's objects and goes back into the file untouched.
 */
class Leftovers<Name extends MessageName> {
  readonly of: Name;
  readonly fields: Message<Name>;

  constructor(of: Name, fields: Message<Name>) {
    this.of = of;
    this.fields = fields;
  }
}

/** Leftovers for `extra`; `undefined` where nothing is left. */
export function keep<Name extends MessageName>(of: Name, fields: Message<Name>): Leftovers<Name> | undefined {
  return Object.keys(fields).length > 0 ? new Leftovers(of, fields) : undefined;
}

/** The fields that were kept on an object, `{}` for one that did not come from a file. */
export function kept<Name extends MessageName>(
  of: Name,
  holder: { readonly extra?: unknown },
): Message<Name> {
  const { extra } = holder;
  return extra instanceof Leftovers && extra.of === of ? extra.fields : {};
}

/**
 * Tensors and types are immutable and have no `extra`: replaced means modified. So their leftovers go by
 * identity, and vanish with the object.
 */
export const tensorLeftovers: WeakMap<Tensor, Message<'TensorProto'>> = new WeakMap();
export const sparseLeftovers: WeakMap<SparseTensor, Message<'SparseTensorProto'>> = new WeakMap();
/** The whole message of a type, which may hold denotations and dtypes that `ValueType` has no word for. */
export const typeMessages: WeakMap<ValueType, Message<'TypeProto'>> = new WeakMap();
/** Inputs and outputs that the file lists under `value_info` as well. */
export const listedTwice: WeakSet<Value> = new WeakSet();
/** The sources that a model's weights are read from. */
export const sourcesOf: WeakMap<Model, readonly ByteSource[]> = new WeakMap();
