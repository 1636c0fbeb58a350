/**
 * Times structured linear layers against a dense one, in turns: a training step (forward, gradients of parameters and
 * of the layer's input, update by gradient descent) and an inference run of the exported model.
 *
 *   npm run bench:layers                                       all layers, a table
 *   npm run bench:layers -- --only dyad-it-step --json         one (or those whose names begin so)
 *   npm run bench:layers -- --threads 1 --cpu                  processor time of one thread: for busy machines
 *
 * A case is called `layer-step` or `layer-run` where the dense layer has the same shape, and `layer-equal-step` or
 * `layer-equal-run` where it has fewer outputs, so that both have as many parameters. `flopRatio` is what the time would
 * be if it went by multiplications; `parameterRatio` compares the weights.
 */
import { availableParallelism } from 'node:os';
import { Tensor } from '../src/graph/tensor.js';
import {
  blockSparse,
  dyad,
  type LinearShape,
  monarch,
  parameterCount,
  rankReduction,
  replaceLinear,
  type Structure,
  stackedKronecker,
} from '../src/methods/structured/index.js';
import { exportForInference, linear, Network, Scope, zeros } from '../src/nn/index.js';
import { encodeToBytes } from '../src/onnx/index.js';
import { createSession } from '../src/runtime/index.js';
import { layoutPass } from '../src/runtime/layout/index.js';
import { regression, StepRunner, sgd, trainingStep } from '../src/train/index.js';
import { type Case, inTurns, type Measurement, runBenchmark, time } from './harness.js';

const argv = process.argv.slice(2);
const option = (name: string): string | undefined =>
  argv.includes(name) ? argv[argv.indexOf(name) + 1] : undefined;
const threads = Number(option('--threads') ?? availableParallelism());

/** A feed-forward layer of a small transformer, for 16 texts or images of 64 tokens. */
const SHAPE: LinearShape = { inFeatures: 512, outFeatures: 2048 };
const ROWS = 16 * 64;
const ROUND_MS = 100;

const LAYERS: Readonly<Record<string, (shape: LinearShape) => Structure>> = {
  'rank-reduction': shape => rankReduction(shape, { fraction: 0.5 }),
  'stacked-kronecker': shape => stackedKronecker(shape, { fraction: 0.5 }),
  'stacked-kronecker-thin': shape => stackedKronecker(shape, { fraction: 0.01 }),
  'dyad-it': shape => dyad(shape, { blocks: 4 }),
  'dyad-it-cat': shape => dyad(shape, { blocks: 4, cat: true }),
  'dyad-ot': shape => dyad(shape, { blocks: 4, variant: 'ot' }),
  'dyad-dt': shape => dyad(shape, { blocks: 4, variant: 'dt' }),
  monarch: shape => monarch(shape, { fraction: 0.5, blocks: 4 }),
  'block-sparse': shape => blockSparse(shape, { fraction: 0.5, blocks: 8 }),
};

/** `x` plus a learned vector, so that the layer's input has a gradient; then the layer. */
function network({ inFeatures, outFeatures }: LinearShape, structure?: Structure): Network {
  const built = new Network({ training: true });
  const scope = new Scope(built);
  const x = built.input('x', 'float32', ['rows', inFeatures]);
  const shift = scope.parameter('shift', [inFeatures], { kind: 'bias', initializer: zeros });
  built.output('y', linear(scope.at('fc'), scope.op('Add', [x, shift]), { inFeatures, outFeatures }));
  if (structure) replaceLinear(built, 'fc', () => structure);
  return built;
}

const wave = (dims: readonly number[]): Tensor =>
  Tensor.float32(
    dims,
    Float32Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, i) => Math.sin(i)),
  );

interface Timed {
  /** Milliseconds of one step or run. */
  measure(): Promise<number>;
  release(): Promise<void>;
}

async function timed(run: () => Promise<unknown>, release: () => Promise<void>): Promise<Timed> {
  await run();
  const count = Math.max(1, Math.min(50, Math.round(ROUND_MS / (await time(run)))));
  const measure = async (): Promise<number> => {
    const ms = await time(async () => {
      for (let i = 0; i < count; i++) await run();
    });
    return ms / count;
  };
  return { measure, release };
}

async function stepOf(built: Network, { inFeatures, outFeatures }: LinearShape): Promise<Timed> {
  const step = trainingStep(built, {
    objective: regression({ output: 'y' }),
    optimizer: sgd(),
    sizes: { rows: ROWS },
    passes: [await layoutPass()],
  });
  const runner = await StepRunner.create(step, { threads });
  const batch = { x: wave([ROWS, inFeatures]), targets: wave([ROWS, outFeatures]) };
  return timed(
    () => runner.run(batch, { learningRate: 0.01 }),
    () => runner.release(),
  );
}

async function runOf(built: Network, { inFeatures }: LinearShape): Promise<Timed> {
  const session = await createSession(encodeToBytes(exportForInference(built)), { threads });
  const feeds = { x: wave([ROWS, inFeatures]) };
  return timed(
    () => session.run(feeds),
    () => session.release(),
  );
}

async function measure(
  structure: Structure,
  dense: LinearShape,
  prepare: typeof stepOf | typeof runOf,
): Promise<Measurement> {
  const ours = await prepare(network(SHAPE, structure), SHAPE);
  const theirs = await prepare(network(dense), dense);
  const { ms, peerMs } = await inTurns(ours.measure, theirs.measure, 2);
  await ours.release();
  await theirs.release();
  const weights = dense.inFeatures * dense.outFeatures;
  // A weight that is made of constants alone is made once, when the model is loaded.
  const once = prepare === runOf ? structure.macs(0) : 0;
  const digits = (value: number): number => Number(value.toPrecision(3));
  return {
    ms,
    peer: `dense ${dense.inFeatures} × ${dense.outFeatures}`,
    peerMs,
    extra: {
      flopRatio: digits((structure.macs(ROWS) - once) / (ROWS * weights)),
      parameterRatio: digits(parameterCount(structure) / weights),
    },
  };
}

const cases: Case[] = Object.entries(LAYERS).flatMap(([name, build]) => {
  const structure = build(SHAPE);
  const outFeatures = Math.round(parameterCount(structure) / SHAPE.inFeatures);
  const equal: LinearShape = { inFeatures: SHAPE.inFeatures, outFeatures };
  return [
    { name: `${name}-step`, run: () => measure(structure, SHAPE, stepOf) },
    { name: `${name}-run`, run: () => measure(structure, SHAPE, runOf) },
    { name: `${name}-equal-step`, run: () => measure(structure, equal, stepOf) },
    { name: `${name}-equal-run`, run: () => measure(structure, equal, runOf) },
  ];
});
await runBenchmark(cases, argv);
