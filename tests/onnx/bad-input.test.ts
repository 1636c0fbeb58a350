import { describe, expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import { decodeModel } from '../../src/onnx/index.js';
import type { Message } from '../../src/onnx/schema.js';
import { floats, modelBytes, node } from './build.js';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const x = [{ name: 'x' }];

/** The error that decoding gives; fails where it gives none, or one that is not meant for users. */
function errorOf(bytes: Uint8Array, limits = {}): WhittleError {
  try {
    decodeModel(bytes, { path: 'bad.onnx', limits });
  } catch (error) {
    expect(error).toBeInstanceOf(WhittleError);
    return error as WhittleError;
  }
  throw new Error('decoding succeeded');
}

const graphError = (graph: Message<'GraphProto'>): WhittleError => errorOf(modelBytes(graph));

describe('files that are not models', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /is empty/],
    [
      'a Git LFS pointer',
      text('version https://git-lfs.github.com/spec/v1\noid sha256:00'),
      /Git LFS.*git lfs pull/,
    ],
    ['a web page', text('\n<!DOCTYPE html><html>Not found</html>'), /web page/],
    ['a zip', text('PK\x03\x04rest'), /zip/],
    ['JSON', text('{ "error": "not found" }'), /JSON/],
    ['plain text', text('hello world, this is text'), /is a text, not a model/],
    ['zeros', new Uint8Array(100), /damaged at byte 0/],
    ['ones', new Uint8Array(100).fill(255), /more than 64 bits/],
    ['a message of unknown fields', Uint8Array.of(0xf8, 0x7f, 1), /not an ONNX model: it has no graph/],
  ])('%s', (_, bytes, message) => {
    const error = errorOf(bytes);
    expect(error.message).toMatch(message);
    expect(error.place.file).toBe('bad.onnx');
    expect(error.hint).toMatch(/\w+ \w+/);
  });
});

describe('damaged encodings', () => {
  it('names a length beyond the end', () => {
    // Field 7 (graph), then 2^60.
    const bytes = Uint8Array.of(0x08, 10, 0x3a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10);
    expect(errorOf(bytes).message).toMatch(/claims 1152921504606846976 bytes, but 0 are left/);
  });

  it('refuses every truncation of a model', () => {
    const bytes = modelBytes({
      node: [node('Relu', ['x'], ['y'])],
      input: x,
      output: [{ name: 'y' }],
      initializer: [floats('w', [2], { rawData: new Uint8Array(8) })],
    });
    decodeModel(bytes);
    for (let length = 0; length < bytes.length; length++) {
      expect(errorOf(bytes.subarray(0, length)).message).toMatch(/damaged|truncated|empty|no graph/);
    }
  });

  it('refuses a message that is nested too deeply', () => {
    let type: Message<'TypeProto'> = { tensorType: { elemType: 1 } };
    for (let i = 0; i < 200; i++) type = { sequenceType: { elemType: type } };
    expect(graphError({ input: [{ name: 'x', type }] }).message).toMatch(/nested too deeply/);
    const groups = Uint8Array.from({ length: 400 }, (_, i) => (i % 2 ? 0x7d : 0xfb));
    expect(errorOf(groups).message).toMatch(/nested too deeply/);
  });

  it('bounds the number of messages', () => {
    const bytes = modelBytes({ node: Array.from({ length: 50 }, () => ({})) });
    expect(errorOf(bytes, { items: 20 }).message).toMatch(/more than 20 messages.*raise/);
  });

  it('refuses numbers of more than 64 bits', () => {
    expect(errorOf(Uint8Array.of(0x08, ...new Array(10).fill(0xff), 1)).message).toMatch(/more than 64 bits/);
  });
});

describe('tensors', () => {
  const tensorError = (tensor: Message<'TensorProto'>) => graphError({ initializer: [tensor] });

  it.each<[string, Message<'TensorProto'>, RegExp]>([
    [
      'too few bytes',
      floats('w', [2, 2], { rawData: new Uint8Array(12) }),
      /\[2, 2\] needs 16 bytes, but has 12/,
    ],
    ['too few numbers', floats('w', [2], { floatData: new Uint8Array(4) }), /needs 2 numbers, but has 1/],
    ['no data', floats('w', [2]), /needs 2 numbers, but has 0/],
    ['a negative dimension', floats('w', [-1]), /dimension of -1/],
    ['a huge dimension', { name: 'w', dims: [2n ** 62n], dataType: 1 }, /dimension of 4611686018427388000/],
    ['an overflow', floats('w', [2 ** 31, 2 ** 31]), /too large to exist/],
    ['an overflow behind a zero', floats('w', [2 ** 31, 2 ** 31, 0]), /too large to exist/],
    ['too many dimensions', floats('w', new Array(65).fill(1)), /65 dimensions/],
    ['an unknown dtype', { name: 'w', dataType: 1000 }, /unknown element type 1000/],
    ['no dtype', { name: 'w' }, /unknown element type 0/],
    ['segments', floats('w', [0], { segment: { begin: 0 } }), /segments/],
    [
      'missing strings',
      { name: 'w', dims: [2], dataType: 8, stringData: [text('a')] },
      /needs 2 strings, but has 1/,
    ],
    [
      'external data without a resolver',
      floats('w', [1], { dataLocation: 1, externalData: [{ key: 'location', value: 'f' }] }),
      /external file "f"/,
    ],
  ])('with %s', (_, tensor, message) => {
    const error = tensorError(tensor);
    expect(error.message).toMatch(message);
    expect(error.place.value).toBe('w');
  });

  it('sparse ones that do not fit', () => {
    const error = graphError({
      sparseInitializer: [
        {
          values: floats('s', [2], { rawData: new Uint8Array(8) }),
          indices: { dims: [3], dataType: 7, rawData: new Uint8Array(24) },
          dims: [4],
        },
      ],
    });
    expect(error.message).toMatch(/values \[2\] at int64 indices \[3\]/);
  });
});

describe('graphs', () => {
  it.each<[string, Message<'GraphProto'>, RegExp]>([
    ['a cycle', { node: [node('A', ['b'], ['a']), node('B', ['a'], ['b'])] }, /cycle through A "a", B "b"/],
    ['a node that feeds itself', { node: [node('A', ['a'], ['a'])] }, /cycle through A "a"/],
    [
      'a body that uses the output of its own node',
      {
        node: [
          node('If', ['c'], ['y'], {
            attribute: [{ name: 'then_branch', type: 5, g: { node: [node('Neg', ['y'], ['z'])] } }],
          }),
        ],
        input: [{ name: 'c' }],
      },
      /cycle through If "y"/,
    ],
    [
      'a value from nowhere',
      { node: [node('Relu', ['x'], ['y'], { name: 'act' })] },
      /Relu uses a value that nothing produces \(file bad.onnx, node "act", value "x"\)/,
    ],
    [
      'two producers',
      { input: x, node: [node('A', ['x'], ['y']), node('B', ['x'], ['y'])] },
      /output of node "y" "y" has the name of another value/,
    ],
    ['an output from nowhere', { output: [{ name: 'y' }] }, /graph output "y" is produced by nothing/],
    ['an output that is an input', { input: x, node: [node('A', [], ['x'])] }, /name of another value/],
    ['two inputs of one name', { input: [...x, ...x] }, /input "x" has the name/],
    [
      'an attribute twice',
      {
        node: [
          node('A', [], [], {
            attribute: [
              { name: 'k', type: 2 },
              { name: 'k', type: 2 },
            ],
          }),
        ],
      },
      /attribute "k" twice/,
    ],
    [
      'an attribute of unknown type',
      { node: [node('A', [], ['a'], { attribute: [{ name: 'k', type: 77 }] })] },
      /attribute "k" has the unknown type 77.*node "a"/,
    ],
    [
      'an attribute without its tensor',
      { node: [node('A', [], ['a'], { attribute: [{ name: 'k', type: 4 }] })] },
      /attribute "k" has no value/,
    ],
  ])('with %s', (_, graph, message) => {
    expect(graphError(graph).message).toMatch(message);
  });

  it('without an operator set', () => {
    expect(errorOf(modelBytes({}, { opsetImport: undefined })).message).toMatch(/operator set/);
  });

  it('sorts nodes that are out of order', () => {
    const bytes = modelBytes({ input: x, node: [node('B', ['a'], ['b']), node('A', ['x'], ['a'])] });
    expect([...decodeModel(bytes).graph.nodes].map(n => n.opType)).toEqual(['A', 'B']);
  });
});
