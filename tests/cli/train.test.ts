import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Graph } from '../../src/graph/graph.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { exportForInference, mlp } from '../../src/nn/index.js';
import { encodeToBytes } from '../../src/onnx/index.js';
import { loadModel } from '../../src/onnx/load.node.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = join(root, 'dist/cli/main.js');

/** A project of a user's, with Whittle installed. */
let project: string;
beforeAll(async () => {
  if (!existsSync(main)) throw new Error('these tests run the built command: npm run build');
  project = await mkdtemp(join(tmpdir(), 'whittle-train-cli-'));
  await mkdir(join(project, 'node_modules'));
  await symlink(root, join(project, 'node_modules', 'whittle-nn'));
  await writeFile(join(project, 'parity.ts'), CONFIG);
});
afterAll(() => rm(project, { recursive: true }));

const CONFIG = `
import type { Dataset } from 'whittle-nn/datasets';
import { Tensor } from 'whittle-nn/graph';
import { mlp } from 'whittle-nn/nn';
import { classification, defineTraining, integer, number, sgd } from 'whittle-nn/train';

const bits = (length: number): Dataset => ({
  length,
  fields: { input: { dtype: 'float32', shape: [2] }, labels: { dtype: 'int64', shape: [] } },
  batch: async indices => ({
    input: Tensor.float32([indices.length, 2], Array.from(indices).flatMap(i => [i & 1, (i >> 1) & 1])),
    labels: Tensor.int64(Array.from(indices, i => (i ^ (i >> 1)) & 1)),
  }),
});

export default defineTraining({
  settings: { updates: integer(200, { min: 1 }), rate: number(0.5, { description: 'how fast' }) },
  build: ({ updates, rate }) => ({
    network: mlp({ widths: [2, 16, 2], activation: 'tanh', training: true }),
    data: { train: bits(64), test: bits(4) },
    objective: classification(),
    optimizer: sgd({ momentum: 0.9 }),
    learningRate: rate,
    batchSize: 16,
    updates,
    evaluation: { every: 50, goal: { metric: 'accuracy', betterIs: 'higher' } },
    checkpointEvery: 20,
  }),
});
`;

const whittle = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise(resolve => {
    execFile(process.execPath, [main, 'train', ...args], { cwd: project }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });

it('trains into a folder, goes on there, and says how it went', async () => {
  const first = await whittle('parity.ts', '--threads', '1');
  expect(first.err).toMatch(/^epoch 50\.00, update 200: loss [\d.e-]+, accuracy 1\n$/);
  expect(first.out).toMatch(
    /^Trained 200 updates in .*\nLast evaluation: loss .*\nBest accuracy: 1, after update 200\.\nModel: runs\/parity\/model\.onnx\n$/,
  );
  expect(first.code).toBe(0);
  const out = join(project, 'runs', 'parity');
  const { graph } = await loadModel(join(out, 'model.onnx'));
  expect(graph.inputs.map(({ name, shape }) => [name, shape])).toEqual([['input', ['batch', 2]]]);
  const log = (await readFile(join(out, 'log.jsonl'), 'utf8')).trim().split('\n');
  expect(log).toHaveLength(201);

  const again = await whittle('parity.ts');
  expect(again.code).toBe(1);
  expect(again.err).toMatch(/holds a training already.*--resume/);
  const changed = await whittle('parity.ts', '--resume', '--set', 'rate=0.2');
  expect(changed.err).toMatch(/began with rate = 0\.5, and now it is 0\.2/);
  const resumed = await whittle('parity.ts', '--resume', '--json');
  expect(JSON.parse(resumed.out)).toMatchObject({
    updates: 200,
    ended: 'done',
    best: { metric: 'accuracy', value: 1, update: 200 },
  });
});

it('saves and ends at Ctrl-C', async () => {
  const args = [main, 'train', 'parity.ts', '--out', 'stopped', '--set', 'updates=100000000'];
  const child = spawn(process.execPath, args, { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] });
  let err = '';
  child.stderr.on('data', text => {
    err += text;
  });
  const ended = new Promise<number | null>(resolve => child.on('close', resolve));
  while (!existsSync(join(project, 'stopped', 'checkpoints'))) await new Promise(r => setTimeout(r, 20));
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  const place = /Stopped after update (\d+); saved as (\S+)\. Go on with --resume\.\n$/.exec(err);
  expect(Number(place?.[1])).toBeGreaterThan(0);
  const progress = JSON.parse(await readFile(join(project, place![2]!, 'progress.json'), 'utf8'));
  expect(progress.runner.update).toBe(Number(place![1]));
});

it('lists settings, and explains what is wrong with a file', async () => {
  const listed = await whittle('parity.ts', '--settings');
  expect(listed.out).toBe('updates=200  a whole number of at least 1\nrate=0.5  a number: how fast\n');
  expect(JSON.parse((await whittle('parity.ts', '--settings', '--json')).out)).toEqual({
    updates: { default: 200, expects: 'a whole number of at least 1' },
    rate: { default: 0.5, expects: 'a number', description: 'how fast' },
  });
  expect((await whittle('.')).err).toMatch(/this is a folder.*Give a \.ts or \.js file/);
  await writeFile(join(project, 'lost.ts'), "import 'nowhere-to-be-found'; export default {};");
  expect((await whittle('lost.ts')).err).toMatch(
    /Cannot find module 'nowhere-to-be-found' \(file lost\.ts\)/,
  );
  const unknown = await whittle('parity.ts', '--out', 'x', '--set', 'rat=1');
  expect(unknown.err).toMatch(/no setting "rat".*updates, rate/);
  await writeFile(join(project, 'empty.mjs'), 'export default {};');
  expect((await whittle('empty.mjs')).err).toMatch(/describes no training/);
  expect((await whittle('parity.ts', '--out', 'parity.ts/deeper')).err).toMatch(
    /the folder cannot be made.*parity\.ts/,
  );
});

const matricesOf = (graph: Graph): Tensor[] =>
  [...graph.initializers]
    .map(({ initializer }) => initializer as Tensor)
    .filter(({ dims }) => dims.length === 2);

it('trains by a method of the command line, and goes on with the same one only', async () => {
  const args = ['parity.ts', '--out', 'sparse', '--set', 'updates=40', '--method'];
  const method = 'rigl:dense=none,density=0.5,interval=10';
  const { out, code } = await whittle(...args, method);
  expect(code).toBe(0);
  expect(out).toMatch(/^Trained 40 updates/);
  const { graph } = await loadModel(join(project, 'sparse', 'model.onnx'));
  const weights = matricesOf(graph).flatMap(matrix => matrix.toNumbers());
  // Half of them, without the neurons that nothing reads any more.
  expect(weights.length).toBeLessThan(2 * 16 + 16 * 2);
  expect(weights.filter(value => value !== 0).length).toBeLessThanOrEqual((2 * 16 + 16 * 2) / 2);
  expect(weights.filter(value => value !== 0).length).toBeGreaterThan(16);
  const other = await whittle(...args, 'set:dense=none', '--resume');
  expect(other.err).toMatch(/began with --method = \["rigl:.*"\], and now it is \["set:dense=none"\]/);
  const both = await whittle('parity.ts', '--out', 'two', '--method', 'rigl', '--method', 'snip');
  expect(both.err).toMatch(/rigl and snip do not combine: both decide the masks/);
});

it('combines the methods of the file with those of the command line, or says why not', async () => {
  const masks = `rigl({
    density: 0.5, counted: 'layers', dense: 'none', spread: 'uniform', interval: 5, fraction: 0.3, stop: 0.75,
  })`;
  const config = CONFIG.replace('batchSize: 16,', `batchSize: 16, methods: [${masks}],`);
  await writeFile(join(project, 'masks.ts'), `import { rigl } from 'whittle-nn/methods';${config}`);
  const both = await whittle('masks.ts', '--out', 'both', '--method', 'snip');
  expect(both.err).toMatch(/rigl and snip do not combine: both decide the masks/);
  const hashed = await whittle('masks.ts', '--out', 'both', '--method', 'hashed');
  expect(hashed.err).toMatch(/hashed and rigl do not combine: hashed changes layers .* \S+.*layers/);
  expect(existsSync(join(project, 'both'))).toBe(false);
  // Factors come before their masks, wherever they are named.
  const factors = 'low-rank:rule=rank,amount=1,layers=all';
  const { out } = await whittle('masks.ts', '--out', 'factors', '--set', 'updates=10', '--method', factors);
  expect(out).toMatch(/^Trained 10 updates/);
  const { graph } = await loadModel(join(project, 'factors', 'model.onnx'));
  const matrices = matricesOf(graph);
  expect(matrices).toHaveLength(3);
  const weights = matrices.flatMap(matrix => matrix.toNumbers());
  expect(weights.filter(value => value !== 0).length).toBeLessThanOrEqual((2 + 16 + 2 * 16) / 2);
});

it('learns from the file of a teacher', async () => {
  const teacher = exportForInference(mlp({ widths: [2, 3, 2] }));
  await writeFile(join(project, 'teacher, 1.onnx'), encodeToBytes(teacher));
  const args = ['parity.ts', '--out', 'student', '--set', 'updates=40', '--method'];
  const { out, code } = await whittle(...args, 'hinton:teacher=teacher, 1.onnx,temperature=2,alpha=0.5');
  expect(out).toMatch(/^Trained 40 updates/);
  expect(code).toBe(0);
  const log = await readFile(join(project, 'student', 'log.csv'), 'utf8');
  expect(log).toMatch(/^step,40,.*,distillation,[\d.e-]+$/m);
  const { graph } = await loadModel(join(project, 'student', 'model.onnx'));
  expect([...graph.initializers].some(({ name }) => name.includes('teacher'))).toBe(false);
  const missing = await whittle('parity.ts', '--out', 'none', '--method', 'hinton');
  expect(missing.err).toMatch(/hinton needs a teacher.*--method hinton:teacher=teacher\.onnx/);
  expect(existsSync(join(project, 'none'))).toBe(false);
});
