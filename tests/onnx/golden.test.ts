import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeModel, encodeToBytes } from '../../src/onnx/index.js';
import { ONNX } from '../../src/onnx/schema.js';
import { DESCRIPTOR, wireTree } from './wire-tree.js';

const golden = (name: string): Uint8Array => readFileSync(new URL(`./golden/${name}`, import.meta.url));

/** Nested messages, and two that share a table, have names of their own here. */
const OUR_NAMES: Record<string, string> = {
  'TypeProto.Tensor': 'TensorTypeProto',
  'TypeProto.SparseTensor': 'TensorTypeProto',
  'TypeProto.Sequence': 'SequenceTypeProto',
  'TypeProto.Optional': 'SequenceTypeProto',
  'TypeProto.Map': 'MapTypeProto',
  'TypeProto.Opaque': 'OpaqueTypeProto',
  'TensorShapeProto.Dimension': 'Dimension',
  'TensorProto.Segment': 'Segment',
};

describe('against the reference implementation', () => {
  it.each(Object.keys(DESCRIPTOR))('has every field of %s', name => {
    const ours = ONNX[(OUR_NAMES[name] ?? name) as keyof typeof ONNX] as Record<string, object>;
    const camel = (text: string) => text.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const theirs = Object.entries(DESCRIPTOR[name]!).map(([field, { no, repeated, packed, type }]) => [
      camel(field),
      {
        no,
        label: packed ? 'packed' : repeated ? 'repeated' : 'optional',
        type: field === 'raw_data' ? 'payload' : (OUR_NAMES[type] ?? type),
      },
    ]);
    expect(ours).toEqual(Object.fromEntries(theirs));
  });

  it('keeps every field of a model that uses all of them', () => {
    const bytes = golden('everything.onnx');
    const written = encodeToBytes(decodeModel(bytes));
    expect(wireTree(written)).toEqual(wireTree(golden('everything.expected.onnx')));
    // The comparison sees what it should: typed data became raw data, nothing else changed.
    expect(wireTree(written)).not.toEqual(wireTree(bytes));
  });

  it('reads the elements of every dtype alike from typed fields and raw data', () => {
    const { graph } = decodeModel(golden('everything.onnx'));
    const constants = new Map([...graph.initializers].map(v => [v.name, v.initializer]));
    let count = 0;
    for (const [name, tensor] of constants) {
      const raw = name.endsWith(' typed') ? constants.get(name.replace('typed', 'raw')) : undefined;
      if (!raw || !('bytes' in raw) || !tensor || !('bytes' in tensor)) continue;
      expect(tensor.dtype).toBe(raw.dtype);
      expect(Buffer.from(tensor.bytes()).toString('hex'), name).toBe(
        Buffer.from(raw.bytes()).toString('hex'),
      );
      count++;
    }
    expect(count).toBe(27);
  });

  it('models what the graph has words for', () => {
    const model = decodeModel(golden('everything.onnx'));
    const { graph } = model;
    const [all, branch] = [...graph.nodes];
    expect(model.opsets).toEqual(
      new Map([
        ['', 21],
        ['ours', 1],
      ]),
    );
    expect(model.modelVersion).toBe(2n ** 60n);
    expect(graph.inputs[0]!.shape).toEqual(['batch', 2]);
    expect(graph.inputs.map(i => i.type?.kind)).toEqual([
      ...'tensor tensor tensor map opaque tensor sequence sparse'.split(' '),
      undefined,
    ]);
    expect(all!.inputs[1]).toBeNull();
    expect(all!.attributes.get('ints')!.value).toEqual([1, -1, 2n ** 62n]);
    // A branch refers to the very value of the graph around it.
    const inner = branch!.subgraphs.flatMap(g => [...g.nodes]);
    expect(inner.every(node => node.inputs[0] === all!.outputs[0])).toBe(true);
    expect(all!.outputs[0]!.consumers).toEqual(inner);
    expect(graph.freshName('gone')).toBe('gone_1');
    expect(model.functions[0]!.attributeDefaults.get('beta')?.value).toBe(0.5);
    expect([...model.functions[0]!.graph.nodes][0]!.attributes.get('alpha')).toMatchObject({
      type: 'reference',
      value: 'alpha',
      of: 1,
    });
  });
});
