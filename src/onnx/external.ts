import { type DecodeContext, failDecode } from './context.js';
import { type Payload, takePayload } from './payload.js';
import type { Message } from './schema.js';

/** The bytes of a tensor that says where in another file they are. */
export function externalPayload(
  context: DecodeContext,
  message: Message<'TensorProto'>,
  byteLength: number,
  value: string,
): Payload {
  const entries = new Map((message.externalData ?? []).map(entry => [entry.key ?? '', entry.value ?? '']));
  const location = entries.get('location');
  if (!location) failDecode(context, 'external data has no location', { value });
  const number = (key: string, fallback: number): number => {
    const text = entries.get(key);
    if (text === undefined) return fallback;
    const parsed = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(parsed)) {
      failDecode(context, `external data has the ${key} "${text.slice(0, 40)}"`, { value });
    }
    return parsed;
  };
  const offset = number('offset', 0);
  const length = number('length', byteLength);
  if (length !== byteLength) {
    failDecode(context, `external data has ${length} bytes where the shape needs ${byteLength}`, { value });
  }
  const source = context.external(location, value);
  if (offset + length > source.size) {
    failDecode(
      context,
      `external data file "${location}" is too short: ${offset + length} bytes needed, ${source.size} there`,
      { value, hint: 'Fetch the file again; it is truncated or belongs to another model' },
    );
  }
  return takePayload(source, offset, length);
}
