import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type InputSource, type Sample, type Signature, writeNpy, writeNpz } from '../../src/data/index.js';
import { loadEvalFunction, openInputs } from '../../src/data/index.node.js';
import { Tensor } from '../../src/graph/index.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whittle-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

async function all(source: InputSource): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of source.samples()) samples.push(sample);
  expect(samples).toHaveLength(source.length!);
  return samples;
}

const vector: Signature = [{ name: 'x', dtype: 'float32', shape: ['n', 2] }];
const pair: Signature = [
  { name: 'a', dtype: 'float32', shape: ['n', 2] },
  { name: 'b', dtype: 'int64', shape: ['n'] },
];
const rows = (...values: number[]) => Tensor.float32([values.length / 2, 2], values);

describe('openInputs', () => {
  it('feeds .npy files to a model with one input, in the order of their names', async () => {
    await put('b.npy', writeNpy(rows(3, 4)));
    await put('a.npy', writeNpy(Tensor.fromNumbers('float64', [2], [1, 2])));
    await put('README.md', 'notes');
    const source = await openInputs(folder, vector);
    expect(source.notes).toEqual(['Converted: x from float64 to float32.']);
    expect((await all(source)).map(s => [s.x!.dims, s.x!.toNumbers()])).toEqual([
      [
        [1, 2],
        [1, 2],
      ],
      [
        [1, 2],
        [3, 4],
      ],
    ]);
  });

  it('takes the rows of a lone file one by one', async () => {
    const path = await put('all.npy', writeNpy(rows(1, 2, 3, 4, 5, 6)));
    const samples = await all(await openInputs(path, vector));
    expect(samples.map(s => s.x!.toNumbers())).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
  });

  it('feeds .npz files by their keys', async () => {
    await put('0.npz', writeNpz({ a: rows(1, 2), b: Tensor.int64([7]), label: Tensor.int64([1]) }));
    await put('1.npz', writeNpz({ a: rows(3, 4), b: Tensor.int64([8]), label: Tensor.int64([1]) }));
    const samples = await all(await openInputs(folder, pair));
    expect(samples.map(s => [Object.keys(s), s.b!.toNumbers()])).toEqual([
      [['a', 'b'], [7]],
      [['a', 'b'], [8]],
    ]);
  });

  it('feeds .npy files from folders named as the inputs', async () => {
    await put('a/0.npy', writeNpy(rows(1, 2)));
    await put('b/0.npy', writeNpy(Tensor.int64([7])));
    expect(await all(await openInputs(folder, pair))).toHaveLength(1);
    await put('a/1.npy', writeNpy(rows(1, 2)));
    await expect(openInputs(folder, pair)).rejects.toThrow(/no "1.npy" in the folder "b"/);
  });

  it('names file, input, the expected and the given where arrays do not fit', async () => {
    await put('0.npz', writeNpz({ a: rows(1, 2) }));
    await expect(openInputs(folder, pair)).rejects.toThrow(/no array for input "b" \(file .*0\.npz/);
    const wide = await put('w/wide.npy', writeNpy(Tensor.float32([1, 3], [1, 2, 3])));
    await expect(openInputs(wide, vector)).rejects.toThrow(
      /input "x" takes float32 \[n, 2\], the array is float32 \[1, 3\] \(file .*wide\.npy/,
    );
    const bad = await openInputs(await put('n/nan.npy', writeNpy(rows(1, Number.NaN))), vector);
    await expect(all(bad)).rejects.toThrow(/NaN, first at element 1 \(file .*nan\.npy/);
    await expect(openInputs(wide, pair)).rejects.toThrow(/does not say which.*keys a, b/);
  });

  it('reads a folder of images', async () => {
    const create = { width: 5, height: 4, channels: 3 as const, background: '#804020' };
    await put('cats/1.png', await sharp({ create }).png().toBuffer());
    await put('dogs/2.jpg', await sharp({ create }).jpeg().toBuffer());
    const image: Signature = [{ name: 'x', dtype: 'float32', shape: ['n', 3, 4, 5] }];
    const source = await openInputs(folder, image, { image: { mean: [0], std: [1] } });
    expect(source.notes!.join()).toMatch(/Assumed for images: channels in the order rgb/);
    for (const sample of await all(source)) expect(sample.x!.dims).toEqual([1, 3, 4, 5]);
    await put('dogs/x.npy', writeNpy(rows(1, 2)));
    await expect(openInputs(folder, image)).rejects.toThrow(/both arrays and images/);
  });

  it('reads text with a tokenizer, and asks for one', async () => {
    const path = await put('lines.txt', 'one two\n\n  three\r\n');
    const ids: Signature = [{ name: 'input_ids', dtype: 'int64', shape: ['n', 't'] }];
    const tokenizer = { encode: (text: string) => [...text].map(sign => sign.length) };
    const samples = await all(await openInputs(path, ids, { tokenizer }));
    expect(samples.map(s => s.input_ids!.dims)).toEqual([
      [1, 7],
      [1, 5],
    ]);
    await expect(openInputs(path, ids)).rejects.toThrow(/text needs a tokenizer.*--tokenizer/);
    await expect(openInputs(path, ids, { tokenizer: folder })).rejects.toThrow(/cannot read the tokenizer/);
  });

  it("runs a file of the user's own and checks what it gives", async () => {
    const tensor = (dims: string) =>
      `{ dtype: 'float32', dims: ${dims}, toFloat32: () => new Float32Array(2), data: () => new Float32Array(2) }`;
    const good = await put(
      'good.ts',
      `const n: number = 1; export default () => [{ x: ${tensor('[n, 2]')} }];`,
    );
    expect(await all(await openInputs(good, vector))).toHaveLength(1);
    const bad = await put('bad.ts', `export const inputs = [{ x: ${tensor('[2]')} }];`);
    await expect(all(await openInputs(bad, vector))).rejects.toThrow(
      /given is float32 \[2\] \(file .*bad\.ts/,
    );
    const throws = await put('throws.ts', `throw new Error('oh');`);
    await expect(openInputs(throws, vector)).rejects.toThrow(/cannot be run: oh \(file .*throws\.ts/);
    const fails = await put('fails.ts', `export default () => { throw new Error('gone'); };`);
    await expect(openInputs(fails, vector)).rejects.toThrow(/own code failed: gone \(file .*fails\.ts/);
    const late = await put(
      'late.ts',
      `export default { async *samples() { yield { x: ${tensor('[1, 2]')} }; throw new Error('later'); } };`,
    );
    await expect(all(await openInputs(late, vector))).rejects.toThrow(/own code failed: later \(file .*late/);
    await expect(loadEvalFunction(join(folder, 'nowhere.ts'))).rejects.toThrow(/there is no such file/);
    const none = await put('none.ts', 'export const other = 1;');
    await expect(openInputs(none, vector)).rejects.toThrow(/no export "default" or "inputs"/);
    await expect(loadEvalFunction(good)).resolves.toBeTypeOf('function');
    await expect(loadEvalFunction(await put('e.ts', 'export default 3;'))).rejects.toThrow(/not a function/);
  });

  it('refuses an array whose header claims more than the file holds, before it counts samples', async () => {
    const text = Buffer.from(writeNpy(rows(1, 2))).toString('latin1');
    const lie = text.replace('(1, 2), }         ', '(2147483648, 2), }');
    await put('huge.npy', Buffer.from(lie, 'latin1'));
    await expect(openInputs(folder, vector)).rejects.toThrow(/needs 17179869184 bytes of data, the file has/);
  });

  it('generates inputs where none are given', async () => {
    const source = await openInputs(undefined, vector, { generated: { count: 4 } });
    expect(await all(source)).toHaveLength(4);
  });

  it('says what is missing', async () => {
    await expect(openInputs(join(folder, 'nowhere'), vector)).rejects.toThrow(
      /are not there \(file .*nowhere/,
    );
    await expect(openInputs(folder, vector)).rejects.toThrow(/no usable inputs: the folder is empty/);
    await put('table.csv', '1,2');
    await expect(openInputs(folder, vector)).rejects.toThrow(
      /no usable inputs \(found .csv\).*Known are .npy/,
    );
  });
});
