import { lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openContender } from '../../src/compare/index.node.js';
import { Tensor } from '../../src/graph/index.js';
import { type PullOptions, type PullPlan, parseHubReference, pullModel } from '../../src/hub/index.node.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { saveModel } from '../../src/onnx/save.node.js';
import { createSession } from '../../src/runtime/index.js';
import { smallModel, whittle } from '../cli/capture.js';
import { COMMIT, FakeHub, TOKEN } from './fake-hub.js';
import { PIPELINES, TEXTS } from './model-folder.js';

const bytes = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7 + (i >> 8)) & 255);
const text = (value: string) => new TextEncoder().encode(value);

const FILES = {
  'README.md': text('# not needed'),
  'config.json': text('{"model_type":"bert"}'),
  'tokenizer.json': text('{}'),
  'onnx/model.onnx': bytes(300_000, 1),
  'onnx/model.onnx_data': bytes(200_000, 2),
  'onnx/model_fp16.onnx': bytes(9000, 3),
  'model.safetensors': bytes(9000, 4),
};

let cache: string;
let hub: FakeHub;
let options: PullOptions;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'whittle-hub-'));
  hub = new FakeHub({
    'owner/model': { files: FILES },
    'owner/gated': { files: FILES, gated: true },
    'owner/private': { files: FILES, private: true },
    'owner/two': { files: { 'encoder.onnx': bytes(10, 1), 'decoder.onnx': bytes(10, 2) } },
    'owner/torch': { files: { 'model.safetensors': bytes(10, 1) } },
    'owner/evil': { files: { 'model.onnx': bytes(10, 1), '../../escape.json': bytes(10, 2) } },
  });
  options = { cache, hubUrl: await hub.start(), token: '' };
});

afterEach(async () => {
  await hub.stop();
  await rm(cache, { recursive: true, force: true });
});

const pull = (name: string, more: PullOptions = {}) =>
  pullModel(parseHubReference(name), { ...options, ...more });

const repoFolder = () => join(cache, 'models--owner--model');
const blobs = () => readdir(join(repoFolder(), 'blobs')).catch(() => []);

/** Waits until the download has kept something. */
async function someKept(): Promise<void> {
  for (;;) {
    const names = (await blobs()).filter(name => name.endsWith('.incomplete'));
    const sizes = await Promise.all(
      names.map(async name => (await lstat(join(repoFolder(), 'blobs', name))).size),
    );
    if (sizes.some(size => size > 0)) return;
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

describe('pullModel', () => {
  it('brings the model, its data, configuration and tokenizer, and nothing else', async () => {
    const { folder, model, commit, offline } = await pull('hf:owner/model');
    expect({ commit, offline }).toEqual({ commit: COMMIT, offline: false });
    expect(model).toBe(join(folder, 'onnx', 'model.onnx'));
    expect(new Uint8Array(await readFile(model))).toEqual(FILES['onnx/model.onnx']);
    expect(new Uint8Array(await readFile(`${model}_data`))).toEqual(FILES['onnx/model.onnx_data']);
    expect((await readdir(folder, { recursive: true })).sort()).toEqual([
      'config.json',
      'onnx',
      'onnx/model.onnx',
      'onnx/model.onnx_data',
      'tokenizer.json',
    ]);
  });

  it('lays the cache out as huggingface_hub does', async () => {
    const { folder, model } = await pull('hf:owner/model@v1');
    expect(folder).toBe(join(repoFolder(), 'snapshots', COMMIT));
    expect((await lstat(model)).isSymbolicLink()).toBe(true);
    expect(await readlink(model)).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(await readFile(join(repoFolder(), 'refs', 'v1'), 'utf8')).toBe(COMMIT);
    // config.json is small: git's own name for it.
    expect(await readlink(join(folder, 'config.json'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
  });

  it('says what it would download first, and downloads nothing twice', async () => {
    const plans: PullPlan[] = [];
    const confirm = (plan: PullPlan) => plans.push(plan) > 0;
    await pull('hf:owner/model', { confirm });
    const before = hub.requests.length;
    await pull('hf:owner/model', { confirm });
    expect(plans).toHaveLength(1);
    expect(plans[0]!.bytes).toBe(500_000 + FILES['config.json'].length + FILES['tokenizer.json'].length);
    expect(plans[0]!.files.map(({ path }) => path)).toEqual([
      'config.json',
      'tokenizer.json',
      'onnx/model.onnx_data',
      'onnx/model.onnx',
    ]);
    expect(hub.requests.slice(before).every(request => request.startsWith('/api/'))).toBe(true);
  });

  it('downloads nothing when that is declined', async () => {
    await expect(pull('hf:owner/model', { confirm: () => false })).rejects.toThrow(
      /declined.*hf:owner\/model/,
    );
    expect(await readdir(cache)).toEqual([]);
  });

  it('goes on where the connection was cut, and asks for the rest alone', async () => {
    hub.cut = { after: 120_000, seen: someKept };
    await expect(pull('hf:owner/model:onnx/model.onnx')).rejects.toThrow(
      /download stopped after \d+ of \d+ bytes.*Run it again: it goes on from there/,
    );
    const cut = (await blobs()).filter(name => name.endsWith('.incomplete'));
    expect(cut).toHaveLength(1);
    const kept = (await lstat(join(repoFolder(), 'blobs', cut[0]!))).size;
    expect(kept).toBeGreaterThan(0);
    hub.requests.length = 0;
    const seen: number[] = [];
    const { model } = await pull('hf:owner/model', { onProgress: done => seen.push(done) });
    expect(hub.requests).toContain(
      `/cdn/owner/model/resolve/${COMMIT}/onnx/model.onnx_data bytes=${kept}-199999`,
    );
    expect(new Uint8Array(await readFile(`${model}_data`))).toEqual(FILES['onnx/model.onnx_data']);
    expect((await blobs()).filter(name => name.endsWith('.incomplete'))).toEqual([]);
    expect(seen.at(-1)).toBe(500_000);
  });

  it('is right where two download it at once', async () => {
    const two = await Promise.all([pull('hf:owner/model'), pull('hf:owner/model')]);
    for (const { model } of two) {
      expect(new Uint8Array(await readFile(`${model}_data`))).toEqual(FILES['onnx/model.onnx_data']);
    }
    expect((await blobs()).filter(name => name.endsWith('.incomplete'))).toEqual([]);
  });

  it('never gives a wrong download a name', async () => {
    hub.corrupt = true;
    await expect(pull('hf:owner/model')).rejects.toThrow(/not what the hub promised/);
    expect((await blobs()).every(name => /^[0-9a-f]{40}$/.test(name))).toBe(true);
    hub.corrupt = false;
    await pull('hf:owner/model');
  });

  it('survives a server that ignores ranges', async () => {
    hub.cut = { after: 120_000, seen: someKept };
    await expect(pull('hf:owner/model')).rejects.toThrow(/stopped/);
    hub.ignoresRanges = true;
    await expect(pull('hf:owner/model')).rejects.toThrow(/not what the hub promised/);
    const { model } = await pull('hf:owner/model');
    expect(new Uint8Array(await readFile(`${model}_data`))).toEqual(FILES['onnx/model.onnx_data']);
  });

  it('without network takes what is there, or says so', async () => {
    const online = await pull('hf:owner/model');
    await hub.stop();
    expect(await pull('hf:owner/model')).toEqual({ ...online, offline: true });
    await expect(pull('hf:owner/two')).rejects.toThrow(
      /cannot be reached \(ECONNREFUSED\).*Check the network/,
    );
    await expect(pull('hf:owner/model@v1')).rejects.toThrow(/cannot be reached/);
  });

  it('leaves a model with external data so that it runs, though both are links', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'whittle-outside-'));
    try {
      const saved = await saveModel(smallModel(), join(folder, 'model.onnx'), {
        externalData: { threshold: 1, file: 'model.onnx_data' },
      });
      const [model, data] = await Promise.all(saved.files.map(({ path }) => readFile(path)));
      const outside = new FakeHub({
        'owner/model': { files: { 'model.onnx': model!, 'model.onnx_data': data! } },
      });
      const pulled = await pull('hf:owner/model', { hubUrl: await outside.start() });
      await outside.stop();
      const { bytes, source } = await openContender(pulled.model, 'pulled');
      expect(bytes).toBe(saved.bytes);
      const session = await createSession(source, { threads: 1 });
      const { y } = await session.run({ x: Tensor.float32([1, 64], new Float32Array(64).fill(1)) });
      await session.release();
      expect(y!.dims).toEqual([1, 8]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('picks another file by its path', async () => {
    const { model } = await pull('hf:owner/model:onnx/model_fp16.onnx');
    expect(model).toMatch(/onnx[\\/]model_fp16\.onnx$/);
  });
});

describe('refusals', () => {
  it.each<[string, string, PullOptions, RegExp]>([
    [
      'no such model',
      'hf:owner/none',
      {},
      /no such model on the hub, or it is private.*hf:owner\/none.*Check the name/,
    ],
    ['no such model, with a token', 'hf:owner/none', { token: TOKEN }, /no such model on the hub/],
    ['a private model', 'hf:owner/private', {}, /or it is private.*HF_TOKEN/],
    ['a gated model', 'hf:owner/gated', {}, /gated and needs a token.*HF_TOKEN/],
    ['a wrong token', 'hf:owner/model', { token: 'hf_bad' }, /refuses the token.*HF_TOKEN/],
    ['what is no token', 'hf:owner/model', { token: 'secret' }, /must start with hf_/],
    ['no such revision', 'hf:owner/model@v9', {}, /no revision "v9"/],
    [
      'no such file',
      'hf:owner/model:onnx/other.onnx',
      {},
      /no "onnx\/other\.onnx".*hf:owner\/model:onnx\/model\.onnx/,
    ],
    [
      'several models',
      'hf:owner/two',
      {},
      /2 ONNX models.*hf:owner\/two:encoder\.onnx, hf:owner\/two:decoder\.onnx/,
    ],
    ['no model', 'hf:owner/torch', {}, /no ONNX model, only safetensors.*optimum-cli/],
    ['a path that leads out', 'hf:owner/evil', {}, /leads out of the repository/],
  ])('%s', async (_name, reference, more, message) => {
    await expect(pull(reference, more)).rejects.toThrow(message);
    // No trace but folders: nothing half or wrong under a name.
    const left = await readdir(cache, { recursive: true, withFileTypes: true });
    expect(left.filter(entry => entry.name.endsWith('.onnx'))).toEqual([]);
  });

  it('a token opens gated and private models', async () => {
    await pull('hf:owner/gated', { token: TOKEN });
    await pull('hf:owner/private', { token: TOKEN });
  });
});

describe('whittle inspect hf:…', () => {
  const model = encodeToBytes(smallModel());
  let ours: FakeHub;
  beforeEach(async () => {
    ours = new FakeHub({ 'owner/small': { files: { 'config.json': text('{}'), 'onnx/model.onnx': model } } });
    vi.stubEnv('HF_ENDPOINT', await ours.start());
    vi.stubEnv('HF_HUB_CACHE', cache);
    vi.stubEnv('HF_TOKEN', '');
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await ours.stop();
  });

  it('shows the size and goes on where nobody can be asked', async () => {
    const { code, out, err } = await whittle(['inspect', 'hf:owner/small']);
    expect({ code, err }).toEqual({ code: 0, err: 'Downloading owner/small: 27.9 kB in 2 files.\n' });
    expect(out).toContain('first.weight');
    // The second time it is there.
    expect((await whittle(['inspect', 'hf:owner/small'])).err).toBe('');
    await ours.stop();
    const offline = await whittle(['inspect', 'hf:owner/small']);
    expect(offline).toMatchObject({
      code: 0,
      err: expect.stringMatching(/cannot be reached.*copy in the cache/),
    });
  });

  it('asks whoever watches, unless told not to', async () => {
    const questions: string[] = [];
    const confirm = async (question: string) => {
      questions.push(question);
      return false;
    };
    const declined = await whittle(['inspect', 'hf:owner/small'], { confirm });
    expect(declined).toMatchObject({ code: 1, err: expect.stringMatching(/declined/) });
    expect(questions).toEqual(['Download owner/small: 27.9 kB in 2 files?']);
    expect((await whittle(['inspect', 'hf:owner/small', '--yes'], { confirm })).code).toBe(0);
    expect(questions).toHaveLength(1);
  });
});

describe('whittle compress hf:…', () => {
  const { model, files } = PIPELINES['feature-extraction'];
  const json = (value: unknown) => text(JSON.stringify(value));
  const { model: wordPiece } = files['tokenizer.json'];
  const folder = (tokenizer: unknown) => ({
    'config.json': json(files['config.json']),
    'tokenizer.json': json(tokenizer),
    'tokenizer_config.json': json(files['tokenizer_config.json']),
    'onnx/model.onnx': encodeToBytes(model()),
  });
  const odd = {
    ...files['tokenizer.json'],
    model: { ...wordPiece, vocab: { ...wordPiece.vocab, extraordinary: 5000 } },
  };
  let ours: FakeHub;
  let work: string;
  beforeEach(async () => {
    work = await mkdtemp(join(tmpdir(), 'whittle-hub-work-'));
    ours = new FakeHub({
      'owner/fits': { files: folder(files['tokenizer.json']) },
      'owner/odd': { files: folder(odd) },
      'owner/gated': { files: folder(files['tokenizer.json']), gated: true },
    });
    vi.stubEnv('HF_ENDPOINT', await ours.start());
    vi.stubEnv('HF_HUB_CACHE', cache);
    vi.stubEnv('HF_TOKEN', '');
    await writeFile(join(work, 'lines.txt'), TEXTS.join('\n'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await ours.stop();
    await rm(work, { recursive: true, force: true });
  });
  const compress = (name: string, signal?: AbortSignal) =>
    whittle(
      [
        'compress',
        name,
        '-o',
        join(work, 'small'),
        '--calibration',
        join(work, 'lines.txt'),
        '--threads',
        '1',
        '--no-cache',
      ],
      signal && { signal },
    );
  const incomplete = async () =>
    (await readdir(cache, { recursive: true })).filter(name => name.endsWith('.incomplete'));

  it.each([
    ['no such model', 'hf:owner/none', /no such model on the hub.*Check the name/s],
    ['a gated model without a token', 'hf:owner/gated', /gated and needs a token.*HF_TOKEN/s],
    ['a tokenizer of another model', 'hf:owner/odd', /tokenizer does not fit the model.*5000/s],
  ])('%s: one clear message, and nothing is written', async (_name, reference, message) => {
    const { code, err, out } = await compress(reference);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\bat .*\.[jt]s:/);
    expect(await readdir(work)).toEqual(['lines.txt']);
    expect(await incomplete()).toEqual([]);
  });

  it('no network: says so, and what is in the cache still serves', async () => {
    expect((await whittle(['inspect', 'hf:owner/fits'])).code).toBe(0);
    await ours.stop();
    expect(await compress('hf:owner/gated')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/cannot be reached.*Check the network/s),
    });
    expect((await whittle(['inspect', 'hf:owner/fits'])).code).toBe(0);
  });

  it('an interrupt keeps what has come, and the next run goes on', async () => {
    const stop = new AbortController();
    ours.cut = {
      after: 100_000,
      seen: async () => {
        while ((await incomplete()).length === 0) await new Promise(done => setTimeout(done, 5));
        stop.abort();
      },
    };
    const { code, err } = await compress('hf:owner/fits', stop.signal);
    expect(code).not.toBe(0);
    expect(err).toMatch(/Stopped|stopped/);
    expect(await readdir(work)).toEqual(['lines.txt']);
    ours.requests.length = 0;
    expect((await whittle(['inspect', 'hf:owner/fits'])).code).toBe(0);
    expect(await incomplete()).toEqual([]);
  });
});

describe('parseHubReference', () => {
  it.each([
    ['hf:a/b', { repo: 'a/b', revision: 'main' }],
    ['hf:a/b-c.d_2@refs/pr/1', { repo: 'a/b-c.d_2', revision: 'refs/pr/1' }],
    ['hf:a/b:onnx/model_q4.onnx', { repo: 'a/b', revision: 'main', path: 'onnx/model_q4.onnx' }],
    ['hf:a/b@v1:m.onnx', { repo: 'a/b', revision: 'v1', path: 'm.onnx' }],
  ])('%s', (given, expected) => expect(parseHubReference(given)).toEqual(expected));

  it.each([
    'hf:',
    'hf:a',
    'hf:a/b/c',
    'hf:../b',
    'hf:a/..',
    'hf:a/b@../x',
    'hf:a/b:../x',
    'hf:a/b:/x',
    'hf:a/b:c\\d',
  ])('refuses %s', given =>
    expect(() => parseHubReference(given)).toThrow(/does not name a model|leads out/),
  );
});
