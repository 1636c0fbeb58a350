/**
 * Times structured linear layers against a dense one, in pairs of neighbours: a training step (forward, gradients of
 * parameters and of the layer's input, update by gradient descent) and an inference run of the exported model.
 *
 *   npm run bench:layers                                       all layers, a table
 *   npm run bench:layers -- --only dyad-it-step --json         one (or those whose names begin so)
 *   npm run bench:layers -- --threads 1 --cpu                  processor time of one thread: for busy machines
 *
 * A case is called `layer-step` or `layer-run` where the dense layer has the same shape, and `layer-equal-step` or
 * `layer-equal-run` where it has fewer outputs, so that both have as many parameters. `narrow-ffn` is the baseline that
 * they have to beat: a feed-forward pair of half the hidden width against one of full width. `ratio` is the median over
 * the pairs, `low` and `high` its 95% interval; `flopRatio` is what it would be if time went by multiplications;
 * `parameterRatio` compares the weights.
 */
import { availableParallelism } from 'node:os';
import { Tensor } from '../src/graph/tensor.js';
import type { Value } from '../src/graph/value.js';
import {
  blockSparse,
  dyad,
  type LinearShape,
  monarch,
  narrowFeedForward,
  parameterCount,
  rankReduction,
  replaceLinear,
  type Structure,
  stackedKronecker,
} from '../src/methods/structured/index.js';
import { activation, exportForInference, linear, Network, Scope, zeros } from '../src/nn/index.js';
import { encodeToBytes } from '../src/onnx/index.js';
import { createSession } from '../src/runtime/index.js';
import { layoutPass } from '../src/runtime/layout/index.js';
import { regression, StepRunner, sgd, trainingStep } from '../src/train/index.js';
import { type Case, inPairs, type Measurement, option, runBenchmark, time } from './harness.js';

const threads = Number(option('--threads') ?? availableParallelism());

/** A feed-forward layer of a small transformer, for 16 texts or images of 64 tokens. */
const SHAPE: LinearShape = { inFeatures: 512, outFeatures: 2048 };
const ROWS = 16 * 64;
const ROUND_MS = 40;
const seconds = Number(option('--seconds') ?? 4);
/** Hidden features of the narrower feed-forward pair, as a fraction. */
const NARROW = 0.5;

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

/** `x` plus a learned vector, so that the layer's input has a gradient; then the layers. */
function network(inFeatures: number, layers: (scope: Scope, x: Value) => Value): Network {
  const built = new Network({ training: true });
  const scope = new Scope(built);
  const x = built.input('x', 'float32', ['rows', inFeatures]);
  const shift = scope.parameter('shift', [inFeatures], { kind: 'bias', initializer: zeros });
  built.output('y', layers(scope, scope.op('Add', [x, shift])));
  return built;
}

function oneLayer(shape: LinearShape, structure?: Structure): Timing {
  const built = network(shape.inFeatures, (scope, x) => linear(scope.at('fc'), x, shape));
  if (structure) replaceLinear(built, 'fc', () => structure);
  return { built, ...shape };
}

function feedForwardPair({ inFeatures, outFeatures: hiddenFeatures }: LinearShape, scale: number): Timing {
  const built = network(inFeatures, (scope, x) => {
    const hidden = linear(scope.at('fc1'), x, { inFeatures, outFeatures: hiddenFeatures });
    const active = activation(scope, hidden, 'relu');
    return linear(scope.at('fc2'), active, { inFeatures: hiddenFeatures, outFeatures: inFeatures });
  });
  if (scale < 1) narrowFeedForward(built, scale);
  return { built, inFeatures, outFeatures: inFeatures };
}

const wave = (dims: readonly number[]): Tensor =>
  Tensor.float32(
    dims,
    Float32Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, i) => Math.sin(i)),
  );

/** A network to time, with the widths of its input and output. */
interface Timing extends LinearShape {
  readonly built: Network;
}

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

async function stepOf({ built, inFeatures, outFeatures }: Timing): Promise<Timed> {
  const step = trainingStep(built, {
    objective: regression({ output: 'y' }),
    optimizer: sgd(),
    sizes: { rows: ROWS },
    passes: [await layoutPass({ threads })],
  });
  const runner = await StepRunner.create(step, { threads });
  const batch = { x: wave([ROWS, inFeatures]), targets: wave([ROWS, outFeatures]) };
  return timed(
    () => runner.run(batch, { learningRate: 0.01 }),
    () => runner.release(),
  );
}

async function runOf({ built, inFeatures }: Timing): Promise<Timed> {
  const session = await createSession(encodeToBytes(exportForInference(built)), { threads });
  const feeds = { x: wave([ROWS, inFeatures]) };
  return timed(
    () => session.run(feeds),
    () => session.release(),
  );
}

type Prepare = typeof stepOf | typeof runOf;

async function measure(
  { ours, theirs, peer }: { readonly ours: Timing; readonly theirs: Timing; readonly peer: string },
  prepare: Prepare,
  ratios: { readonly flopRatio: number; readonly parameterRatio: number },
): Promise<Measurement> {
  const [own, other] = [await prepare(ours), await prepare(theirs)];
  const { ms, peerMs, ratio, low, high } = await inPairs(own.measure, other.measure, seconds);
  await own.release();
  await other.release();
  const digits = (value: number): number => Number(value.toPrecision(3));
  const extra = {
    low: digits(low),
    high: digits(high),
    flopRatio: digits(ratios.flopRatio),
    parameterRatio: digits(ratios.parameterRatio),
  };
  return { ms, peer, peerMs, ratio, extra };
}

function measureLayer(structure: Structure, dense: LinearShape, prepare: Prepare): Promise<Measurement> {
  const weights = dense.inFeatures * dense.outFeatures;
  // A weight that is made of constants alone is made once, when the model is loaded.
  const once = prepare === runOf ? structure.macs(0) : 0;
  return measure(
    {
      ours: oneLayer(SHAPE, structure),
      theirs: oneLayer(dense),
      peer: `dense ${dense.inFeatures} × ${dense.outFeatures}`,
    },
    prepare,
    {
      flopRatio: (structure.macs(ROWS) - once) / (ROWS * weights),
      parameterRatio: parameterCount(structure) / weights,
    },
  );
}

function measureNarrow(prepare: Prepare): Promise<Measurement> {
  const { inFeatures, outFeatures } = SHAPE;
  return measure(
    {
      ours: feedForwardPair(SHAPE, NARROW),
      theirs: feedForwardPair(SHAPE, 1),
      peer: `dense ${inFeatures} × ${outFeatures} × ${inFeatures}`,
    },
    prepare,
    { flopRatio: NARROW, parameterRatio: NARROW },
  );
}

const layerCases: Case[] = Object.entries(LAYERS).flatMap(([name, build]) => {
  const structure = build(SHAPE);
  const outFeatures = Math.round(parameterCount(structure) / SHAPE.inFeatures);
  const equal: LinearShape = { inFeatures: SHAPE.inFeatures, outFeatures };
  return [
    { name: `${name}-step`, run: () => measureLayer(structure, SHAPE, stepOf) },
    { name: `${name}-run`, run: () => measureLayer(structure, SHAPE, runOf) },
    { name: `${name}-equal-step`, run: () => measureLayer(structure, equal, stepOf) },
    { name: `${name}-equal-run`, run: () => measureLayer(structure, equal, runOf) },
  ];
});
const cases: Case[] = [
  { name: 'narrow-ffn-step', run: () => measureNarrow(stepOf) },
  { name: 'narrow-ffn-run', run: () => measureNarrow(runOf) },
  ...layerCases,
];
await runBenchmark(cases);
