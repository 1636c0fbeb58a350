import { concatPayloads, readPayload } from '../../src/onnx/payload.js';
import type { Message } from '../../src/onnx/schema.js';
import { writeMessage } from '../../src/onnx/write-message.js';

export const node = (
  opType: string,
  input: string[],
  output: string[],
  rest: Message<'NodeProto'> = {},
): Message<'NodeProto'> => ({ opType, input, output, ...rest });

export const floats = (name: string, dims: number[], rest: Message<'TensorProto'> = {}) => ({
  name,
  dims,
  dataType: 1,
  ...rest,
});

/** The bytes of a model around a graph, valid or not. */
export function modelBytes(graph: Message<'GraphProto'>, rest: Message<'ModelProto'> = {}): Uint8Array {
  const message = { irVersion: 10, opsetImport: [{ version: 21 }], graph, ...rest };
  return readPayload(concatPayloads(writeMessage('ModelProto', message).parts));
}
