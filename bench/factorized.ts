/**
 * Times factorized networks against the dense ones that they replace, in turns, over a range of rank scales:
 *
 *   npx jiti bench/factorized.ts                                   all cases, a table
 *   npx jiti bench/factorized.ts --only resnet32-step-0.1 --json   one
 *   npx jiti bench/factorized.ts --threads 1 --cpu                 processor time of one thread: for busy machines
 *   npx jiti bench/factorized.ts --multiple-of 16                  ranks in multiples of 16
 *   npx jiti bench/factorized.ts --only resnet32-decay --batch 128 the batch that the source trains with
 *
 * `step` is a training step with Frobenius decay against the dense one with weight decay, `run` inference of a batch,
 * both of exported ONNX. `flops` is the ratio that arithmetic alone would give. `decay` is Frobenius decay by itself
 * against a step with weight decay: the share that it adds.
 */
import { availableParallelism } from 'node:os';
import type { Batch } from '../src/datasets/index.js';
import { typedBuilder } from '../src/graph/autodiff/index.js';
import { Graph, Model, sizeOf, Tensor, tensorType, type Value } from '../src/graph/index.js';
import { productGradients } from '../src/methods/factorized/decay/frobenius.js';
import { matrixProduct } from '../src/methods/factorized/decay/matrix-factor.js';
import { exportFactorized, factorize, frobeniusDecay } from '../src/methods/factorized/index.js';
import { bert, cifarResNet, exportForInference, type Network, vgg } from '../src/nn/index.js';
import { Random } from '../src/random/random.js';
import { createSession } from '../src/runtime/index.js';
import { layoutPass } from '../src/runtime/layout/index.js';
import {
  adamW,
  classification,
  StepRunner,
  sgd,
  type TrainingMethod,
  trainingStep,
} from '../src/train/index.js';
import { type Case, inTurns, type Measurement, option, runBenchmark, time } from './harness.js';

const threads = Number(option('--threads') ?? availableParallelism());
const multipleOf = Number(option('--multiple-of') ?? 1);
const batch = Number(option('--batch') ?? 0);
/** At half the rank factors are as large as the matrix, and `factorize` leaves it as it is. */
const SCALES = [0.05, 0.1, 0.25, 0.4];

interface Subject {
  readonly name: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly adam?: boolean;
  build(training: boolean): Network;
}

const SUBJECTS: readonly Subject[] = [
  // The source's ResNet-32 is twice as wide as the usual one.
  {
    name: 'resnet32',
    sizes: { batch: 64 },
    build: training => cifarResNet({ depth: 32, width: 2, training }),
  },
  { name: 'vgg19', sizes: { batch: 32 }, build: training => vgg({ depth: 19, head: 'cifar', training }) },
  {
    name: 'transformer',
    sizes: { batch: 8, tokens: 128 },
    adam: true,
    build: training =>
      bert({
        vocabulary: 1024,
        features: 512,
        depth: 4,
        heads: 8,
        dropout: 0,
        head: 'classification',
        classes: 10,
        training,
      }),
  },
];

function batchOf(network: Network, sizes: Subject['sizes']): Batch {
  const random = new Random(1);
  const tensors = network.inputs.map(({ name, dtype, shape = [] }) => {
    const dims = shape.map(dim => (typeof dim === 'number' ? dim : sizes[String(dim)]!));
    const numbers = Array.from({ length: sizeOf(dims) }, () =>
      dtype === 'int64' ? random.integer(2) : random.normal(),
    );
    return [name, Tensor.fromNumbers(dtype!, dims, numbers)] as const;
  });
  const labels = Tensor.int64(Array.from({ length: sizes.batch! }, () => random.integer(10)));
  return { ...Object.fromEntries(tensors), labels };
}

async function stepper(
  { sizes, adam, ...subject }: Subject,
  scale: number | undefined,
  methods: TrainingMethod[] = [],
) {
  const network = subject.build(true);
  // How factors start makes no difference to the time of a step.
  const flops =
    scale === undefined
      ? undefined
      : factorize(network, { rank: { scale }, init: 'plain', sizes, multipleOf });
  const step = trainingStep(network, {
    objective: classification(),
    optimizer: adam ? adamW() : sgd({ momentum: 0.9 }),
    methods,
    sizes,
    passes: [await layoutPass({ threads })],
  });
  const runner = await StepRunner.create(step, { threads });
  const batch = batchOf(network, sizes);
  const run = () => runner.run(batch, { learningRate: 1e-4, weightDecay: 1e-4 });
  if (!Number.isFinite((await run()).loss)) throw new Error(`${subject.name}: the loss is not finite`);
  return { time: () => time(run), release: () => runner.release(), flops };
}

async function inference({ sizes, ...subject }: Subject, scale: number | undefined) {
  const network = subject.build(false);
  const flops =
    scale === undefined
      ? undefined
      : factorize(network, { rank: { scale }, init: 'plain', sizes, multipleOf });
  const model = scale === undefined ? exportForInference(network) : exportFactorized(network, { sizes });
  const session = await createSession(model, { threads });
  const { labels: _, ...inputs } = batchOf(network, sizes);
  return { time: () => time(() => session.run(inputs)), release: () => session.release(), flops };
}

type Timed = Awaited<ReturnType<typeof stepper>>;

async function compare(ours: Timed, theirs: Timed, peer: string): Promise<Measurement> {
  const { ms, peerMs } = await inTurns(ours.time, theirs.time);
  await ours.release();
  await theirs.release();
  return { ms, peer, peerMs, extra: sizes(ours) };
}

function sizes({ flops }: Timed): Record<string, number> {
  const { before, after } = flops!;
  const ratio = (key: 'flops' | 'parameters'): number => Number((after[key]! / before[key]!).toPrecision(3));
  return { flops: ratio('flops'), parameters: ratio('parameters') };
}

/** The gradients of the decay by themselves, which take the place of one multiplication of each factor by a number. */
async function decayAlone(network: Network): Promise<Pick<Timed, 'time' | 'release'>> {
  const graph = new Graph('decay');
  const model = new Model(graph);
  model.opsets.set('', 21);
  const b = typedBuilder(model);
  const feeds: Record<string, Tensor> = { lambda: Tensor.float32([], [1e-4]) };
  const lambda = graph.addInput('lambda', tensorType('float32', []));
  const first = graph.constant(Tensor.int64([0]));
  const factor = (name: string): Value => {
    const { dtype, dims } = network.tensor(name);
    feeds[name] = new Tensor(dtype, dims, network.tensor(name).bytes()); // initial values are drawn when they are read
    return graph.addInput(name, tensorType(dtype, dims));
  };
  for (const layer of network.factorized.values()) {
    const gradients = productGradients(b, matrixProduct(b, layer, factor), lambda);
    // One row of each as an output: a step does not hand them out.
    for (const [name, gradient] of gradients) graph.addOutput(b.op('Gather', [gradient, first]), `d ${name}`);
  }
  const session = await createSession(model, { threads });
  return { time: () => time(() => session.run(feeds)), release: () => session.release() };
}

async function compareDecay(subject: Subject, scale: number): Promise<Measurement> {
  const network = subject.build(true);
  factorize(network, { rank: { scale }, init: 'plain', sizes: subject.sizes, multipleOf });
  const decay = await decayAlone(network);
  const step = await stepper(subject, scale);
  const { ms, peerMs } = await inTurns(decay.time, step.time);
  await decay.release();
  await step.release();
  return { ms, peer: 'step', peerMs, extra: sizes(step) };
}

const subjects =
  batch > 0 ? SUBJECTS.map(subject => ({ ...subject, sizes: { ...subject.sizes, batch } })) : SUBJECTS;

const cases = subjects.flatMap(subject =>
  SCALES.flatMap((scale): Case[] => [
    {
      name: `${subject.name}-step-${scale}`,
      run: async () =>
        compare(
          await stepper(subject, scale, [frobeniusDecay()]),
          await stepper(subject, undefined),
          'dense',
        ),
    },
    {
      name: `${subject.name}-run-${scale}`,
      run: async () => compare(await inference(subject, scale), await inference(subject, undefined), 'dense'),
    },
    {
      name: `${subject.name}-decay-${scale}`,
      run: () => compareDecay(subject, scale),
    },
  ]),
);
await runBenchmark(cases);
