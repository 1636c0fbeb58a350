import { readFileSync } from 'node:fs';
import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire';

interface FieldDescriptor {
  no: number;
  repeated: boolean;
  packed: boolean;
  type: string;
}

/** The messages of onnx.proto as the reference implementation describes them. */
export const DESCRIPTOR: Record<string, Record<string, FieldDescriptor>> = JSON.parse(
  readFileSync(new URL('./golden/descriptor.json', import.meta.url), 'utf8'),
);

export interface Tree {
  [field: string]: (Tree | string | number | bigint)[];
}

/**
 * Decodes bytes into a tree of fields in the simplest way: nothing is interpreted, unknown fields are there by
 * number. It shares no code with what it tests.
 */
export function wireTree(bytes: Uint8Array, message = 'ModelProto'): Tree {
  const reader = new BinaryReader(bytes);
  const fields = new Map(Object.entries(DESCRIPTOR[message]!).map(([name, f]) => [f.no, { name, ...f }]));
  const tree: Tree = {};
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    const field = fields.get(no);
    const key = field?.name ?? `#${no}`;
    tree[key] ??= [];
    const values = tree[key];
    if (!field) values.push(Buffer.from(reader.skip(wire, no)).toString('hex'));
    else if (
      field.repeated &&
      wire === 2 &&
      !['string', 'bytes'].includes(field.type) &&
      !DESCRIPTOR[field.type]
    ) {
      const end = reader.uint32() + reader.pos;
      while (reader.pos < end) values.push(scalar(reader, field.type, wire));
    } else values.push(scalar(reader, field.type, wire));
  }
  return normalize(tree, fields);
}

function scalar(reader: BinaryReader, type: string, wire: WireType): Tree | string | number | bigint {
  switch (type) {
    case 'float':
      return reader.float();
    case 'double':
      return reader.double();
    case 'int32':
      return reader.int32();
    case 'int64':
      return BigInt(reader.int64());
    case 'uint64':
      return BigInt(reader.uint64());
    case 'string':
    case 'bytes':
      if (wire !== 2) throw new Error(`${type} of wire type ${wire}`);
      return Buffer.from(reader.bytes()).toString('hex');
    default:
      return wireTree(reader.bytes(), type);
  }
}

/** Leaves out what means the same as nothing, and the order of `value_info`, which has no meaning. */
function normalize(tree: Tree, fields: Map<number, { name: string; repeated: boolean }>): Tree {
  for (const { name, repeated } of fields.values()) {
    const [value] = tree[name] ?? [];
    if (!repeated && (value === '' || value === 0 || value === 0n)) delete tree[name];
  }
  tree.value_info?.sort((a, b) => String((a as Tree).name).localeCompare(String((b as Tree).name)));
  return Object.fromEntries(Object.entries(tree).sort(([a], [b]) => a.localeCompare(b)));
}
