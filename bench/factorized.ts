/**
 * Times factorized networks against the dense ones that they replace, in turns, over a range of rank scales:
 *
 *   npx jiti bench/factorized.ts                                   all cases, a table
 *   npx jiti bench/factorized.ts --only resnet32-step-0.1 --json   one
 *   npx jiti bench/factorized.ts --threads 1 --cpu                 processor time of one thread: for busy machines
 *   npx jiti bench/factorized.ts --multiple-of 16                  ranks in multiples of 16
 *
 * `step` is a training step with Frobenius decay against the dense one with weight decay, `run` inference of a batch,
 * both of exported ONNX. `flops` is the ratio that arithmetic alone would give. `decay` is a step with Frobenius decay
 * against the same step with weight decay on the factors: what it is above 1 is the decay's share.
 */
import { availableParallelism } from 'node:os';
import type { Batch } from '../src/datasets/index.js';
import { sizeOf, Tensor } from '../src/graph/index.js';
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
import { type Case, inTurns, type Measurement, runBenchmark, time } from './harness.js';

const argv = process.argv.slice(2);
const option = (name: string, fallback: number): number =>
  argv.includes(name) ? Number(argv[argv.indexOf(name) + 1]) : fallback;
const threads = option('--threads', availableParallelism());
const multipleOf = option('--multiple-of', 1);
const SCALES = [0.05, 0.1, 0.25, 0.5];

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
    passes: [await layoutPass()],
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
  const { before, after } = ours.flops!;
  const ratio = (key: 'flops' | 'parameters'): number => Number((after[key]! / before[key]!).toPrecision(3));
  return { ms, peer, peerMs, extra: { flops: ratio('flops'), parameters: ratio('parameters') } };
}

const cases = SUBJECTS.flatMap(subject =>
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
      run: async () =>
        compare(
          await stepper(subject, scale, [frobeniusDecay()]),
          await stepper(subject, scale),
          'weight decay',
        ),
    },
  ]),
);
await runBenchmark(cases, argv);
