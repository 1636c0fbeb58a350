import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import { Graph } from '../../src/graph/graph.js';
import { Model } from '../../src/graph/model.js';
import { Tensor } from '../../src/graph/tensor.js';
import { tensorType } from '../../src/graph/value.js';
import { describeFileError } from '../../src/onnx/file-errors.node.js';
import { decodeModel, encodeToBytes, modelByteLength } from '../../src/onnx/index.js';
import { loadModel } from '../../src/onnx/load.node.js';
import { saveModel } from '../../src/onnx/save.node.js';
import { floats, modelBytes } from './build.js';

let top: string;
let folder: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'whittle-files-'));
  folder = join(top, 'model');
  mkdirSync(folder);
});
afterEach(() => rmSync(top, { recursive: true }));

const weights = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i));

/** x + w for a few weights of different sizes. */
function buildModel(sizes: number[] = [10, 5000, 20_000]): Model {
  const graph = new Graph();
  let x = graph.addInput('x', tensorType('float32', [1]));
  sizes.forEach((size, i) => {
    x = graph.op('Add', [x, graph.constant(Tensor.float32([size], weights(size)), `w${i}`)]);
  });
  graph.addOutput(x, 'y');
  return new Model(graph);
}

const constantsOf = (model: Model): Tensor[] =>
  [...model.graph.initializers].map(v => v.initializer as Tensor);

async function errorOf(promise: Promise<unknown>): Promise<WhittleError> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(WhittleError);
  return error as WhittleError;
}

describe('files', () => {
  it('keep large weights on disk until they are asked for', async () => {
    const path = join(folder, 'm.onnx');
    await saveModel(buildModel(), path);
    const constants = constantsOf(await loadModel(path));
    expect(constants.map(t => t.resident)).toEqual([true, false, false]);
    expect(constants.map(t => t.toFloat32())).toEqual([weights(10), weights(5000), weights(20_000)]);
  });

  it('say when they changed after loading', async () => {
    const path = join(folder, 'm.onnx');
    await saveModel(buildModel(), path);
    const model = await loadModel(path);
    truncateSync(path, 1000);
    expect(() => constantsOf(model)[2]!.bytes()).toThrow(/has changed since the model was loaded/);
    expect((await errorOf(saveModel(model, join(folder, 'out.onnx')))).message).toMatch(/has changed/);
    expect(readdirSync(folder)).toEqual(['m.onnx']);
  });

  it.each(['', 'missing.onnx', '.'])('that cannot be read are named: "%s"', async name => {
    const error = await errorOf(loadModel(name && join(folder, name)));
    expect(error.message).toMatch(/no such file|this is a folder/);
  });

  it('that are pipes or devices are refused', async () => {
    expect((await errorOf(loadModel('/dev/null'))).message).toMatch(/not a regular file/);
  });
});

describe('external data', () => {
  it('goes to one aligned file and comes back', async () => {
    const path = join(folder, 'm.onnx');
    const saved = await saveModel(buildModel(), path, { externalData: { threshold: 100, file: 'w.bin' } });
    expect(readdirSync(folder).sort()).toEqual(['m.onnx', 'w.bin']);
    // 5000 floats at 0 are followed by 20 000 at the next page.
    expect(saved.files[1]!.bytes).toBe(20_480 + 80_000);
    expect(saved.bytes).toBe(saved.files[0]!.bytes + saved.files[1]!.bytes);
    const model = await loadModel(path);
    expect(constantsOf(model)[2]!.toFloat32()).toEqual(weights(20_000));
    expect(Buffer.compare(encodeToBytes(model), encodeToBytes(buildModel()))).toBe(0);
  });

  it('is written once for a tensor that is used twice', async () => {
    const model = buildModel([]);
    const shared = Tensor.float32([1000], weights(1000));
    model.graph.constant(shared, 'a');
    model.graph.constant(shared, 'b');
    const saved = await saveModel(model, join(folder, 'm.onnx'), { externalData: true });
    expect(saved.files[1]!.bytes).toBe(4000);
  });

  it('comes from a function in the browser', async () => {
    const path = join(folder, 'm.onnx');
    await saveModel(buildModel(), path, { externalData: true });
    const model = decodeModel(readFileSync(path), { external: name => readFileSync(join(folder, name)) });
    expect(constantsOf(model)[1]!.toFloat32()).toEqual(weights(5000));
  });

  it('may lie in many files, with offset and length', async () => {
    writeFileSync(join(folder, 'a.bin'), Buffer.from(weights(4).buffer));
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub', 'b.bin'), Buffer.from(weights(2).buffer));
    const external = (name: string, entries: Record<string, string>) =>
      floats(name, [2], {
        dataLocation: 1,
        externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
      });
    const path = join(folder, 'm.onnx');
    const initializer = [
      external('a', { location: 'a.bin', offset: '8', length: '8', checksum: 'abc' }),
      external('b', { location: 'sub/b.bin' }),
    ];
    writeFileSync(path, modelBytes({ initializer }));
    const [a, b] = constantsOf(await loadModel(path));
    expect(a!.toFloat32()).toEqual(weights(4).subarray(2));
    expect(b!.toFloat32()).toEqual(weights(2));
  });

  describe('is refused', () => {
    const load = (entries: Record<string, string>): Promise<Model> => {
      const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
      const path = join(folder, 'm.onnx');
      writeFileSync(path, modelBytes({ initializer: [floats('w', [2], { dataLocation: 1, externalData })] }));
      return loadModel(path);
    };

    beforeEach(() => {
      writeFileSync(join(top, 'secret'), new Uint8Array(8));
      writeFileSync(join(folder, 'short'), new Uint8Array(7));
    });

    it.each<[Record<string, string>, RegExp]>([
      [{ location: '../secret' }, /leads out of the model's folder/],
      [{ location: 'a/../../secret' }, /leads out of the model's folder/],
      [{ location: '..\\secret' }, /leads out of the model's folder/],
      [{ location: '/etc/hostname' }, /is absolute/],
      [{ location: 'C:\\secret' }, /is absolute/],
      [{ location: '\\\\server\\share' }, /is absolute/],
      [{ location: 'a\0b' }, /is not a path/],
      [{ location: '.' }, /leads out of the model's folder/],
      [{ location: '' }, /no location/],
      [{}, /no location/],
      [{ location: 'missing' }, /"missing" is missing/],
      [{ location: 'short' }, /"short" is too short: 8 bytes needed, 7 there/],
      [{ location: 'short', offset: '-1' }, /offset "-1"/],
      [{ location: 'short', offset: '1e3' }, /offset "1e3"/],
      [{ location: 'short', offset: '99999999999999999999' }, /offset "9+"/],
      [{ location: 'short', length: '7' }, /7 bytes where the shape needs 8/],
    ])('%j', async (entries, message) => {
      const error = await errorOf(load(entries));
      expect(error.message).toMatch(message);
      expect(error.place.file).toBe(join(folder, 'm.onnx'));
      expect(error.place.value).toBe('w');
    });

    it('as a link out of the folder, of the file or of a folder on the way', async () => {
      symlinkSync(join(top, 'secret'), join(folder, 'link'));
      symlinkSync(top, join(folder, 'up'));
      expect((await errorOf(load({ location: 'link' }))).message).toMatch(/a link that leads out/);
      expect((await errorOf(load({ location: 'up/secret' }))).message).toMatch(/a link that leads out/);
    });

    it('but read behind links where the model itself lies there, as in download caches', async () => {
      const cache = join(top, 'blobs');
      mkdirSync(cache);
      const externalData = [{ key: 'location', value: 'weights' }];
      const bytes = modelBytes({ initializer: [floats('w', [2], { dataLocation: 1, externalData })] });
      writeFileSync(join(cache, 'aaaa'), bytes);
      writeFileSync(join(cache, 'bbbb'), Buffer.from(weights(2).buffer));
      symlinkSync(join(cache, 'aaaa'), join(folder, 'm.onnx'));
      symlinkSync(join(cache, 'bbbb'), join(folder, 'weights'));
      const [w] = constantsOf(await loadModel(join(folder, 'm.onnx')));
      expect(w!.toFloat32()).toEqual(weights(2));
    });
  });
});

describe('saving', () => {
  it('replaces an older file', async () => {
    const path = join(folder, 'm.onnx');
    writeFileSync(path, 'old');
    await saveModel(buildModel(), path);
    expect(Buffer.compare(readFileSync(path), encodeToBytes(buildModel()))).toBe(0);
    expect(readdirSync(folder)).toEqual(['m.onnx']);
  });

  it('never replaces a file that the model reads from', async () => {
    const path = join(folder, 'm.onnx');
    await saveModel(buildModel(), path, { externalData: { file: 'w.bin' } });
    const contents = () => readdirSync(folder).map(name => readFileSync(join(folder, name), 'base64'));
    const before = contents();
    const model = await loadModel(path);
    const link = join(folder, 'link.onnx');
    symlinkSync(path, link);
    expect((await errorOf(saveModel(model, path))).message).toMatch(/still reads its weights from this file/);
    expect((await errorOf(saveModel(model, link))).message).toMatch(/still reads/);
    const other = join(folder, 'other.onnx');
    const own = saveModel(model, other, { externalData: { file: 'w.bin' } });
    expect((await errorOf(own)).message).toMatch(/still reads.*w\.bin/);
    rmSync(link);
    expect(contents()).toEqual(before);
  });

  it.each(['', '.', '..', 'a/b', 'a\\b', '../w.bin', 'm.onnx'])('refuses "%s" as a data file', async file => {
    const saving = saveModel(buildModel(), join(folder, 'm.onnx'), { externalData: { file } });
    expect((await errorOf(saving)).message).toMatch(/cannot name the external data/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves nothing behind when a weight cannot be read', async () => {
    const model = buildModel([]);
    const broken = {
      byteLength: 40_000,
      read(): Uint8Array {
        // By now the temporary file is there.
        expect(readdirSync(folder)).toHaveLength(1);
        throw new WhittleError('the weight is gone');
      },
    };
    model.graph.constant(new Tensor('float32', [10_000], broken), 'w');
    for (const externalData of [false, true]) {
      const saving = saveModel(model, join(folder, 'm.onnx'), { externalData });
      expect((await errorOf(saving)).message).toMatch(/the weight is gone/);
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('notices a weight that gives another length than it promised', async () => {
    const model = buildModel([]);
    const liar = { byteLength: 40_000, read: () => new Uint8Array(39_999) };
    model.graph.constant(new Tensor('float32', [10_000], liar), 'w');
    for (const externalData of [false, true]) {
      const saving = saveModel(model, join(folder, 'm.onnx'), { externalData });
      expect((await errorOf(saving)).message).toMatch(/39999 bytes instead of 40000/);
    }
  });

  it('stops on abort and leaves nothing behind', async () => {
    const controller = new AbortController();
    const model = buildModel([]);
    const storage = {
      byteLength: 40_000,
      read(): Uint8Array {
        controller.abort(new Error('stopped by the user'));
        return new Uint8Array(40_000);
      },
    };
    model.graph.constant(new Tensor('float32', [10_000], storage), 'w');
    await expect(saveModel(model, join(folder, 'm.onnx'), { signal: controller.signal })).rejects.toThrow(
      'stopped by the user',
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says what is wrong with the target', async () => {
    const model = buildModel();
    const missing = await errorOf(saveModel(model, join(folder, 'no', 'm.onnx')));
    expect(missing.message).toMatch(/there is no folder/);
    expect((await errorOf(saveModel(model, folder))).message).toMatch(/this is a folder/);
    writeFileSync(join(folder, 'file'), '');
    expect((await errorOf(saveModel(model, join(folder, 'file', 'm.onnx')))).message).toMatch(/no folder/);
    const long = join(folder, 'x'.repeat(300));
    expect((await errorOf(saveModel(model, long))).message).toMatch(/name is too long/);
    expect(existsSync(long)).toBe(false);
  });

  it.each([
    ['ENOSPC', /disk is full.*Make room/],
    ['EDQUOT', /disk is full/],
    ['EACCES', /not permitted/],
    ['EROFS', /read-only/],
    ['EIO', /failed with EIO/],
  ])('explains %s', (code, message) => {
    const error = describeFileError(Object.assign(new Error(code), { code }), '/x/m.onnx', 'write');
    expect(error).toBeInstanceOf(WhittleError);
    expect((error as WhittleError).message).toMatch(message);
    expect((error as WhittleError).message).toContain('/x/m.onnx');
  });
});

describe('models over 2 GB', () => {
  it('know their length, go to external data by themselves, and say so where that is forbidden', async () => {
    const model = buildModel([]);
    const GB = 2 ** 30;
    for (let i = 0; i < 3; i++) {
      // Nothing reads them here.
      const read = () => {
        throw new WhittleError('asked for its bytes');
      };
      model.graph.constant(new Tensor('uint8', [GB], { byteLength: GB, read }), 'w');
    }
    expect(modelByteLength(model)).toBeGreaterThan(3 * GB);
    expect(() => encodeToBytes(model)).toThrow(/protobuf ends at 2 GB.*external data/);
    const path = join(folder, 'm.onnx');
    expect((await errorOf(saveModel(model, path, { externalData: false }))).message).toMatch(
      /2 GB.*external/,
    );
    // It starts to write the data file.
    expect((await errorOf(saveModel(model, path))).message).toMatch(/asked for its bytes/);
    expect(readdirSync(folder)).toEqual([]);
  });
});
